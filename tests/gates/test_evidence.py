"""Evidence is bound to what was looked at, and nothing but a run of the gate makes it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sternpost.gates.evidence import read_evidence, write_evidence
from tests.gates.project import CONTRACT, EVIDENCE, PYPROJECT, SERVICES, change, environment, git, sternpost


def standing(folder: Path, **more: str) -> tuple[str, str]:
    """The state of the first gate, and why."""
    done = sternpost(folder, "gate", "status", "--json", **more)
    assert done.stdout, done.stderr
    (first, *later) = json.loads(done.stdout)
    assert done.returncode == 1, "the second gate was not run"
    assert all(each["state"] == "not run" for each in later)
    return first["state"], first["why"]


@pytest.fixture
def passed(project: Path) -> Path:
    done = sternpost(project, "gate", "design")
    assert done.returncode == 0, done.stdout
    return project


def test_before_the_first_run_there_is_none(project: Path) -> None:
    assert standing(project) == ("not run", "run: sternpost gate design")


def test_it_holds_what_the_run_has_printed(project: Path) -> None:
    printed = json.loads(sternpost(project, "gate", "design", "--json").stdout)
    kept = json.loads((project / EVIDENCE).read_bytes())
    assert len(kept.pop("digest")) == 64
    assert kept == printed
    assert set(printed["fingerprint"]) == {"contract", "code", "configuration"}
    assert standing(project) == ("passed", "")


def test_it_is_the_same_where_there_is_git(passed: Path) -> None:
    """Git ignores `.sternpost/` and `.env`; without it the folders that are no code are left out."""
    git(passed, "init", "-q")
    assert standing(passed) == ("passed", "")
    (passed / "__pycache__").mkdir()
    (passed / "__pycache__/left.pyc").write_bytes(b"x")
    assert standing(passed) == ("passed", "")


BOTH = "the code and the configuration have"
EDITS: dict[str, tuple[Callable[[Path], object], str]] = {
    "the contract": (lambda folder: change(folder, CONTRACT, "max_length=200", "max_length=300"), "the contract and the code have"),
    "code": (lambda folder: change(folder, SERVICES, "Set the result", "Write the result"), "the code has"),
    "a new file": (lambda folder: (folder / "notes.txt").write_text("x", "utf-8"), "the code has"),
    "a file that is gone": (lambda folder: (folder / "README.md").unlink(), "the code has"),
    "a link": (lambda folder: (folder / "link").symlink_to("README.md"), "the code has"),
    "settings": (lambda folder: (folder / ".env").write_text("STERNPOST_LOG_LEVEL=error\n", "utf-8"), BOTH),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "what"), EDITS.values(), ids=EDITS)
def test_any_edit_makes_it_stale(passed: Path, edit: Callable[[Path], object], what: str) -> None:
    edit(passed)
    assert standing(passed) == ("stale", f"{what} changed since; run: sternpost gate design")


def test_other_variables_of_the_environment_make_it_stale(passed: Path) -> None:
    assert standing(passed, STERNPOST_PORT="9123") == (
        "stale",
        "the configuration has changed since; run: sternpost gate design",
    )
    assert standing(passed, OTHER="9123") == ("passed", "")


def test_no_value_of_a_secret_is_in_it(passed: Path) -> None:
    """A digest of a short secret could be tried out."""
    first = {"STERNPOST_JWT_SECRET": "a" * 40}
    assert sternpost(passed, "gate", "design", **first).returncode == 0
    assert standing(passed, STERNPOST_JWT_SECRET="b" * 40) == ("passed", "")
    assert standing(passed)[0] == "stale", "whether it is set counts"


def edited(edit: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        path = folder / EVIDENCE
        data = json.loads(path.read_bytes())
        edit(data)
        path.write_text(json.dumps(data), "utf-8")

    return spoil


CHANGED = "it was changed after it had been written"


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a verdict by hand": (edited(lambda data: data.update(passed=False)), CHANGED),
    "an outcome by hand": (edited(lambda data: data["criteria"][0].update(outcome="fail")), CHANGED),
    "half a file": (lambda folder: (folder / EVIDENCE).write_bytes((folder / EVIDENCE).read_bytes()[:200]), "it is no JSON"),
    "a list": (lambda folder: (folder / EVIDENCE).write_text("[]", "utf-8"), "it is no JSON object"),
    "nothing": (lambda folder: (folder / EVIDENCE).write_bytes(b""), "it is no JSON"),
    "another release's": (lambda folder: write_evidence(folder, "design", {"gate": "design"}), "it was written by another release"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "why"), BROKEN.values(), ids=BROKEN)
def test_what_no_gate_has_written_is_no_evidence(passed: Path, spoil: Callable[[Path], object], why: str) -> None:
    spoil(passed)
    assert standing(passed) == ("broken", f"of the evidence: {why}; run: sternpost gate design")
    assert sternpost(passed, "gate", "design").returncode == 0
    assert standing(passed) == ("passed", "")


def test_a_stop_is_evidence_of_a_stop(passed: Path) -> None:
    change(passed, PYPROJECT, "auth = [", "# auth = [")
    done = sternpost(passed, "gate", "design")
    assert (done.returncode, "STOP at the gate design: of 13 criteria 1 not met" in done.stdout) == (1, True)
    assert standing(passed) == ("stopped", "mend what it says, and run: sternpost gate design")


def test_a_clock_that_was_set_back_does_not_pass(passed: Path) -> None:
    evidence = read_evidence(passed, "design")
    assert evidence is not None
    later = datetime.now(UTC) + timedelta(days=2)
    write_evidence(passed, "design", {**evidence.data, "at": later.isoformat()})
    state, why = standing(passed)
    assert (state, why) == ("after the present", f"the evidence is of {later.isoformat()}; set the clock")
    done = sternpost(passed, "gate", "design")
    assert (done.returncode, "The clock says" in done.stdout) == (1, True)


def test_a_run_that_is_killed_leaves_no_evidence(passed: Path, tmp_path: Path) -> None:
    """It is killed while it asks git for the last release."""
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "First")):
        git(passed, *command)
    tools = tmp_path / "tools"
    tools.mkdir()
    os.mkfifo(tools / "asked")
    fake = tools / "git"
    fake.write_text(
        f'#!/bin/sh\nif [ "$1" = tag ]; then echo asked > {tools}/asked; exec sleep 60; fi\nPATH={os.environ["PATH"]} exec git "$@"\n'
    )
    fake.chmod(0o755)
    command = [sys.executable, "-m", "sternpost", "gate", "design"]
    path = f"{tools}:{os.environ['PATH']}"
    with subprocess.Popen(command, cwd=passed, env=environment(PATH=path), start_new_session=True) as running:
        try:
            with (tools / "asked").open() as asked:
                assert asked.read() == "asked\n"
        finally:
            os.killpg(running.pid, signal.SIGKILL)
    assert standing(passed) == ("not run", "run: sternpost gate design")


def test_evidence_that_cannot_be_written_is_an_error(project: Path) -> None:
    (project / ".sternpost").write_text("a file, where the folder should be", "utf-8")
    done = sternpost(project, "gate", "design")
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert EVIDENCE in done.stderr
    assert "PASSED" not in done.stdout


def test_an_application_that_cannot_be_imported_does_not_pass(passed: Path) -> None:
    change(passed, CONTRACT, "from datetime import datetime", "from datetime import nothing")
    for command in (("gate", "design"), ("gate", "status")):
        done = sternpost(passed, *command)
        assert (done.returncode, "my_service.app cannot be imported" in done.stderr) == (1, True)


def test_an_application_that_ends_the_process_does_not_pass(passed: Path) -> None:
    change(passed, CONTRACT, "from datetime import datetime", "from datetime import datetime\n\nraise SystemExit(0)")
    for command in (("gate", "design"), ("gate", "status")):
        done = sternpost(passed, *command)
        assert (done.returncode, "my_service.app cannot be imported" in done.stderr) == (1, True)


def test_evidence_of_another_release_is_stale(passed: Path) -> None:
    evidence = read_evidence(passed, "design")
    assert evidence is not None
    why = "it was run with another release of Sternpost; run: sternpost gate design"
    write_evidence(passed, "design", {**evidence.data, "sternpost": "0.0.0"})
    assert standing(passed) == ("stale", why)
    write_evidence(passed, "design", {**evidence.data, "criteria": evidence.data["criteria"][1:]})
    assert standing(passed) == ("stale", why)


def test_code_counts_wherever_git_looks(project: Path) -> None:
    """A folder that the repository around it ignores, a repository within, and modules beside the project."""
    outer = project.parent
    git(outer, "init", "-q")
    (outer / ".gitignore").write_text("my-service/\nlib/\n", "utf-8")
    rules, lib = project / "src/rules", outer / "lib"
    for folder in (rules, lib):
        folder.mkdir()
        (folder / "one.py").write_text("x = 1\n", "utf-8")
    change(project, PYPROJECT, "[tool.sternpost]\n", '[tool.sternpost]\npaths = ["../lib"]\n')
    assert sternpost(project, "gate", "design").returncode == 1  # git ignores what was emitted
    git(project, "init", "-q")
    git(rules, "init", "-q")
    git(rules, "add", "-A")
    git(rules, "commit", "-qm", "First")
    assert sternpost(project, "gate", "design").returncode == 0
    for file in (rules / "one.py", lib / "one.py"):
        file.write_text("x = 2\n", "utf-8")
        assert standing(project)[0] == "stale"
        file.write_text("x = 1\n", "utf-8")
        assert standing(project)[0] == "passed"


WRONG_WAIVERS = {
    "another table": ("[[waivers]]\nid = 'D07'\n", "has to consist of [[waiver]]"),
    "no list": ("waiver = 3\n", "has to consist of [[waiver]]"),
    "another key": (
        "[[waiver]]\nid = 'D07'\nreason = 'a'\nby = 'b'\nuntil = 2026-12-01\nexpires = 2026-12-01\n",
        "waiver 1 has no 'expires', only id, reason, by, until",
    ),
    "two of one": (
        "[[waiver]]\nid = 'D07'\nreason = 'a'\nby = 'b'\nuntil = 2026-12-01\n" * 2,
        "there are two waivers of D07",
    ),
}


@pytest.mark.parametrize(("written", "said"), WRONG_WAIVERS.values(), ids=WRONG_WAIVERS)
def test_wrong_waivers_are_told(project: Path, written: str, said: str) -> None:
    (project / "gate-waivers.toml").write_text(written, "utf-8")
    done = sternpost(project, "gate", "design")
    assert (done.returncode, said in done.stderr) == (2, True)


def test_settings_that_cannot_be_read_are_told(project: Path) -> None:
    (project / ".env").write_bytes(b"STERNPOST_PORT=\xff\n")
    done = sternpost(project, "gate", "status")
    assert (done.returncode, ".env cannot be read" in done.stderr) == (2, True)


def test_a_folder_without_a_project_is_an_error(tmp_path: Path) -> None:
    done = sternpost(tmp_path, "gate", "design")
    assert (done.returncode, "No application is given" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[tool.sternpost.gates]\nwaver = 1\n", "has no option 'waver'; there are: adr, auth, emitted, no-secrets, released, "),
        ("[tool.sternpost]\ngates = 1\n", "[tool.sternpost.gates] in pyproject.toml has to be a table"),
        ("[tool.sternpost.gates]\nadr = 1\n", "adr under [tool.sternpost.gates] in pyproject.toml has to be a path, not 1"),
    ],
)  # fmt: skip
def test_wrong_options_are_told(project: Path, written: str, said: str) -> None:
    text = (project / PYPROJECT).read_text("utf-8")
    own = text[: text.index("[tool.sternpost.gates]")] + text[text.index("[tool.pytest") :]
    merged = own.replace("[tool.sternpost]\n", written, 1) if "gates = 1" in written else own + "\n" + written
    (project / PYPROJECT).write_text(merged, "utf-8")
    done = sternpost(project, "gate", "design", "my_service.app:app")
    assert done.returncode in (1, 2)
    assert said in done.stderr + " ".join(done.stdout.split())


# -- waivers


def waive(folder: Path, code: str, until: date) -> None:
    text = f'[[waiver]]\nid = "{code}"\nreason = "decided next week"\nby = "ada"\nuntil = {until}\n'
    (folder / "gate-waivers.toml").write_text(text, "utf-8")


TODAY = datetime.now(UTC).date()


def test_a_waiver_passes_and_is_told(project: Path) -> None:
    change(project, PYPROJECT, "auth = [", "# auth = [")
    waive(project, "D07", TODAY + timedelta(days=90))
    done = sternpost(project, "gate", "design")
    assert done.returncode == 0, done.stdout
    assert f"D07 is waived until {TODAY + timedelta(days=90)} by ada: decided next week" in done.stdout
    assert "no strategy is chosen" in done.stdout
    assert standing(project) == ("passed", "")


WAIVERS = {
    "expired": ("D07", -1, "gate-waivers.toml: the waiver of D07 by ada expired on {until}"),
    "too long": ("D07", 91, "gate-waivers.toml: the waiver of D07 ends on {until}; it may last 90 days at most"),
    "of no criterion": ("D99", 1, "gate-waivers.toml: there is no criterion D99"),
    "of what is not negotiable": (
        "D04",
        1,
        "gate-waivers.toml: D04 cannot be waived: Every operation documents the errors that it may answer",
    ),
    "not needed": ("D06", 1, "The waiver of D06 is not needed any more: remove it"),
}


@pytest.mark.parametrize(("code", "days", "problem"), WAIVERS.values(), ids=WAIVERS)
def test_a_waiver_that_does_not_hold_stops(project: Path, code: str, days: int, problem: str) -> None:
    until = TODAY + timedelta(days=days)
    waive(project, code, until)
    done = sternpost(project, "gate", "design", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"] == [problem.format(until=until)]


def test_evidence_is_stale_once_a_waiver_has_expired(project: Path) -> None:
    change(project, PYPROJECT, "auth = [", "# auth = [")
    waive(project, "D07", TODAY)
    assert sternpost(project, "gate", "design").returncode == 0
    evidence = read_evidence(project, "design")
    assert evidence is not None
    data = json.loads(json.dumps(evidence.data))
    waived = next(each for each in data["criteria"] if each["waiver"])
    waived["waiver"]["until"] = "2020-01-01"
    write_evidence(project, "design", data)
    assert standing(project) == ("stale", "the waiver of D07 expired on 2020-01-01; run: sternpost gate design")
