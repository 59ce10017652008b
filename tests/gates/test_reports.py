"""The reports of a gate for other programs, for a browser and for a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.gates.project import PYPROJECT, change, sternpost

STOPPED = """\
D07 It is chosen how callers prove who they are  why: sternpost gate explain D07
  pyproject.toml, [tool.sternpost.gates]: auth is ['<b>'], and not a list of strategies
      fix: choose from: identity-provider, shared-secret, api-keys, public

STOP at the gate design: of 13 criteria 1 not met
"""


@pytest.fixture
def stopped(project: Path) -> Path:
    change(project, PYPROJECT, 'auth = ["identity-provider"]', 'auth = ["<b>"]')
    files = ("--junit", "out/gate.xml", "--sarif", "out/gate.sarif", "--html", "out/gate.html")
    done = sternpost(project, "gate", "design", *files)
    assert (
        done.returncode,
        done.stdout[done.stdout.index("D07 It is chosen how callers prove who they are  why") :],
    ) == (
        1,
        STOPPED,
    )
    return project / "out"


def test_junit(stopped: Path) -> None:
    suite = Xml.parse(stopped / "gate.xml").getroot()
    counts = {name: suite.get(name) for name in ("tests", "failures", "skipped")}
    assert counts == {"tests": "13", "failures": "1", "skipped": "1"}
    failed = [case for case in suite if case.find("failure") is not None]
    assert [case.get("name") for case in failed] == ["D07 It is chosen how callers prove who they are"]
    assert "fix: choose from" in str(failed[0].findtext("failure"))


def test_sarif(stopped: Path) -> None:
    document = json.loads((stopped / "gate.sarif").read_bytes())
    (run,) = document["runs"]
    assert (document["version"], len(run["tool"]["driver"]["rules"])) == ("2.1.0", 13)
    (found,) = run["results"]
    assert (found["ruleId"], found["level"]) == ("D07", "error")
    assert found["locations"] == [
        {"logicalLocations": [{"fullyQualifiedName": "pyproject.toml, [tool.sternpost.gates]"}]}
    ]


def test_html(stopped: Path) -> None:
    page = (stopped / "gate.html").read_text("utf-8")
    assert "<title>Gate design: STOP</title>" in page
    assert "[&#x27;&lt;b&gt;&#x27;]" in page
    assert "<script" not in page
    assert "http" not in page


def test_what_a_report_cannot_be_written_to_is_told(project: Path) -> None:
    done = sternpost(project, "gate", "design", "--html", "README.md/gate.html")
    assert (done.returncode, "README.md/gate.html cannot be written" in done.stderr) == (2, True)


def test_all_pass(project: Path) -> None:
    done = sternpost(project, "gate", "design")
    assert done.returncode == 0
    assert "PASSED the gate design, in " in done.stdout
    status = sternpost(project, "gate", "status")
    shown = ["gate", "state", "design", "passed", "implement", "not", "run", "run:", "sternpost", "gate", "implement"]
    assert (status.returncode, status.stdout.split()) == (1, shown)


def test_a_criterion_is_explained(tmp_path: Path) -> None:
    done = sternpost(tmp_path, "gate", "explain", "d07")
    assert done.returncode == 0
    assert done.stdout.startswith(
        "D07 It is chosen how callers prove who they are\nasked by sternpost gate design; a waiver may pass it for a time\n"
    )
    assert "identity-provider" in done.stdout
    unknown = sternpost(tmp_path, "gate", "explain", "D77")
    assert (unknown.returncode, "There is no criterion D77; there are: D01, D02" in unknown.stderr) == (2, True)
