"""The first gate: each criterion is met by a project, and found out where it is not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sternpost.gates.design import CRITERIA
from tests.gates.project import (
    CONTRACT,
    OPENAPI,
    PYPROJECT,
    RECORD,
    SERVICES,
    change,
    emit,
    git,
    sternpost,
    without_docstring,
)


def results(folder: Path, **environment: str) -> dict[str, dict[str, Any]]:
    """What the gate says of each criterion."""
    done = sternpost(folder, "gate", "design", "--json", **environment)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert (done.returncode == 0) == report["passed"]
    return {each["code"]: each for each in report["criteria"]}


def test_a_project_passes(project: Path) -> None:
    found = results(project)
    outcomes = {code: each["outcome"] for code, each in found.items()}
    assert outcomes == {each.code: "not applicable" if each.code == "D09" else "pass" for each in CRITERIA}
    assert all(each["lookedAt"] for each in found.values())


@dataclass(frozen=True)
class Spoiled:
    """A way to spoil a project, and all that the criterion then finds: where, and what.

    Attributes:
        emitted: whether it spoils what was emitted.
    """

    code: str
    spoil: Callable[[Path], object]
    found: tuple[tuple[str, str], ...]

    @property
    def emitted(self) -> bool:
        return self.code in ("D08", "D13")


def edit(file: str, old: str, new: str) -> Callable[[Path], object]:
    return lambda folder: change(folder, file, old, new)


def write(file: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_text(text, "utf-8")


def remove(file: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).unlink()


def auth(value: str) -> Callable[[Path], object]:
    return edit(PYPROJECT, 'auth = ["identity-provider"]', f"auth = {value}")


def with_unreachable(folder: Path) -> None:
    change(
        folder,
        CONTRACT,
        "contract = Contract(",
        'class Note(Resource, prefix="nte"):\n    """A note."""\n\n    text: str\n\n\ncontract = Contract(',
    )
    change(folder, CONTRACT, "resources=[Task]", "resources=[Task, Note]")


TODAY = datetime.now(UTC).date()
OPERATIONS = ("browse", "read", "create", "update", "delete", "finish")
LIMIT = '    limit=sliding_window(600, per="minute", by="principal"),\n'
GATES = "[tool.sternpost.gates]"
DESIGN = "pyproject.toml, [tool.sternpost.design]"
AUTH = "pyproject.toml, [tool.sternpost.gates]"

SPOILED = {
    "a resource that nobody can reach": Spoiled(
        "D01",
        with_unreachable,
        (("resource Note", "nobody can reach its rows: it has no operation, and no resource owns it"),),
    ),
    "no limit": Spoiled(
        "D03",
        edit(CONTRACT, LIMIT, ""),
        tuple((f"operation tasks.{name}", "it has no rate limit") for name in OPERATIONS),
    ),
    "a limit that only counts": Spoiled(
        "D03",
        edit(CONTRACT, 'by="principal")', 'by="principal", mode="shadow")'),
        tuple((f"operation tasks.{name}", "its limits only count: mode is shadow") for name in OPERATIONS),
    ),
    "no limit for one operation": Spoiled(
        "D03",
        edit(CONTRACT, "delete = Delete(", "delete = Delete(limit=None, "),
        (("operation tasks.delete", "it has no rate limit"),),
    ),
    "an error that nobody is told of": Spoiled(
        "D04",
        edit(SERVICES, 'only an open one can be changed")', 'only an open one can be changed", code="TASK_DONE")'),
        (("operation tasks.update", "update_task raises TASK_DONE, which its documentation does not tell"),),
    ),
    "a class of errors that nobody is told of": Spoiled(
        "D04",
        edit(CONTRACT, "        errors=[ResultMissing],\n", ""),
        (("operation tasks.finish", "finish_task raises RESULT_MISSING, which its documentation does not tell"),),
    ),
    "no decision about keys": Spoiled(
        "D05",
        edit(CONTRACT, '        idempotency="optional",\n', ""),
        (("operation tasks.create", "it does not say whether it needs a key"),),
    ),
    "a resource without a description": Spoiled(
        "D06", without_docstring, (("resource Task", "it has no description"),)
    ),
    "a contract without a description": Spoiled(
        "D06",
        edit(CONTRACT, 'description="Tasks, and who does them."', 'description=""'),
        (("the contract", "it has no description"),),
    ),
    "a summary of one word": Spoiled(
        "D06",
        edit(CONTRACT, "read = Read(", 'read = Read(summary="Read", '),
        (("operation tasks.read", "its summary says only 'Read'"),),
    ),
    "no strategy": Spoiled("D07", edit(PYPROJECT, "auth = [", "# auth = ["), ((AUTH, "no strategy is chosen"),)),
    "an unknown strategy": Spoiled(
        "D07", auth('["magic"]'), ((AUTH, "auth is ['magic'], and not a list of strategies"),)
    ),
    "no list of strategies": Spoiled("D07", auth("true"), ((AUTH, "auth is True, and not a list of strategies"),)),
    "keys that the contract does not take": Spoiled(
        "D07", auth('["api-keys"]'), ((AUTH, "the contract does not take API keys"),)
    ),
    "nobody proves anything": Spoiled(
        "D07", auth('["public"]'), ((AUTH, "6 operations ask who calls, such as tasks.browse"),)
    ),
    "public beside others": Spoiled(
        "D07",
        auth('["public", "identity-provider"]'),
        (
            (AUTH, "public stands beside other strategies"),
            (AUTH, "6 operations ask who calls, such as tasks.browse"),
        ),
    ),
    "no document": Spoiled("D08", remove(OPENAPI), ((OPENAPI, "the file does not exist"),)),
    "a document that is none": Spoiled(
        "D08",
        write(OPENAPI, "{"),
        ((OPENAPI, "it is no JSON: unexpected end of data: line 1 column 2 (char 1)"),),
    ),
    "a document of another contract": Spoiled(
        "D08",
        edit(OPENAPI, '"title": "My service"', '"title": "Other"'),
        ((OPENAPI, "it is not that of the contract as it is"),),
    ),
    "a filter without an index": Spoiled(
        "D10",
        edit(CONTRACT, 'filter=["eq", "startsWith"]', 'filter=["eq", "contains"]'),
        (("Task.title", "contains looks at every row of the list"),),
    ),
    "nothing describes the service": Spoiled(
        "D11", edit(PYPROJECT, "simple-crud = true", ""), ((DESIGN, "nothing describes the service"),)
    ),
    "another style is advised": Spoiled(
        "D11",
        edit(PYPROJECT, "simple-crud = true", "service-to-service = true"),
        ((DESIGN, "the advice is gRPC, and the contract is served as REST"),),
    ),
    "a decision that is not there": Spoiled(
        "D11",
        edit(PYPROJECT, GATES, f'{GATES}\nstyle = "docs/adr/0009-rest.md"'),
        (("style under [tool.sternpost.gates]", "docs/adr/0009-rest.md is no record in docs/adr"),),
    ),
    "a limit that is evaded": Spoiled(
        "D03",
        lambda folder: (
            change(folder, CONTRACT, "    field,\n", "    field,\n    given,\n"),
            change(
                folder,
                CONTRACT,
                "create = Create(",
                'create = Create(limit=sliding_window(9, per="minute", by=given("title")), ',
            ),
        ),
        (
            (
                "operation tasks.create",
                "its limits count each value of the input by itself: who sends others is never refused",
            ),
        ),
    ),
    "a field that is in no list": Spoiled(
        "D10",
        edit(PYPROJECT, GATES, f'{GATES}\nscans = ["Task.nothing"]'),
        (
            (
                "scans under [tool.sternpost.gates] in pyproject.toml",
                "Task.nothing is no field that a list is filtered or sorted by",
            ),
        ),
    ),
    "nothing is the case": Spoiled(
        "D11",
        edit(PYPROJECT, "simple-crud = true", "simple-crud = false"),
        ((DESIGN, "nothing describes the service"),),
    ),
    "a record with another name": Spoiled(
        "D12",
        lambda folder: (folder / RECORD).rename(folder / "docs/adr/0001-Record_Decisions.md"),
        (
            ("docs/adr/0001-Record_Decisions.md", "its name is not NNNN-title.md"),
            ("docs/adr", "there is no decision record"),
        ),
    ),
    "a record that is a pipe, and the same letters": Spoiled(
        "D12",
        lambda folder: (
            os.mkfifo(folder / "docs/adr/0002-pipe.md"),
            edit(RECORD, "Accepted", "....")(folder),
            edit(
                RECORD, "## Context", "## Context\n\n```\n## Decision\n```\n\n## CONTEXT:\n\naaaa aaaa aaaa\n\n## Other"
            )(folder),
        ),
        (
            (RECORD, "its section Status says nothing"),
            (RECORD, "its section Context says nothing"),
            ("docs/adr/0002-pipe.md", "it is no file"),
        ),
    ),
    "a document that nobody can review": Spoiled(
        "D08",
        lambda folder: (git(folder, "init", "-q"), change(folder, ".gitignore", "dist/\n", "dist/\ncontract/\n")),
        ((OPENAPI, "git ignores it, so that nobody can review it"),),
    ),
    "no record": Spoiled("D12", remove(RECORD), (("docs/adr", "there is no decision record"),)),
    "a record without a section": Spoiled(
        "D12", edit(RECORD, "## Consequences", "## Later"), ((RECORD, "it has no section Consequences"),)
    ),
    "a record that says nothing": Spoiled(
        "D12",
        write(
            RECORD,
            "# A\n\n## Status\n\nAccepted\n\n## Context\n\nNone.\n\n## Decision\n\n<!-- what? -->\n\n## Consequences\n",
        ),
        tuple((RECORD, f"its section {name} says nothing") for name in ("Context", "Decision", "Consequences")),
    ),
    "no diagram": Spoiled(
        "D13", remove("contract/c4-context.mmd"), (("contract/c4-context.mmd", "the file does not exist"),)
    ),
    "a diagram of another contract": Spoiled(
        "D13",
        edit("contract/c4-containers.mmd", "My service", "Other"),
        (("contract/c4-containers.mmd", "it is not that of the contract as it is"),),
    ),
}


def rounds() -> list[dict[str, Spoiled]]:
    """The cases, several at a time: of each criterion one at most."""
    found: list[dict[str, Spoiled]] = []
    for name, case in SPOILED.items():
        free = next((one for one in found if case.code not in {other.code for other in one.values()}), None)
        if free is None:
            found.append(free := {})
        free[name] = case
    return found


@pytest.mark.parametrize("cases", rounds(), ids=", ".join)
def test_what_is_missing_is_found(project: Path, cases: dict[str, Spoiled]) -> None:
    for case in cases.values():
        if not case.emitted:
            case.spoil(project)
    emit(project)
    for case in cases.values():
        if case.emitted:
            case.spoil(project)
    found = results(project)
    by_code = {case.code: case for case in cases.values()}
    assert {code for code, each in found.items() if each["outcome"] in ("fail", "could not check")} == set(by_code)
    for code, case in by_code.items():
        assert tuple((each["where"], each["what"]) for each in found[code]["findings"]) == case.found
        assert all(each["fix"] for each in found[code]["findings"])


def test_a_document_that_contradicts_the_specification_is_found(project: Path) -> None:
    change(project, OPENAPI, '"openapi": "3.1.0"', '"openapi": 3')
    found = results(project)["D08"]
    assert found["outcome"] == "fail"
    assert any(each["what"].startswith("it contradicts OpenAPI 3.1: ") for each in found["findings"])


def test_a_scan_that_was_decided_for_passes(project: Path) -> None:
    change(project, CONTRACT, 'filter=["eq", "startsWith"]', 'filter=["eq", "contains"]')
    change(project, PYPROJECT, "auth = [", 'scans = ["Task.title"]\nauth = [')
    emit(project)
    found = results(project)["D10"]
    assert (found["outcome"], "accepted as scans: Task.title" in found["lookedAt"]) == ("pass", True)


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("D01", "title: str = field(min_length=1", "title: str = field(min_length=-1"),
        ("D02", "delete = Delete(allow=this.is_owner & can_write, ", "delete = Delete("),
        ("D03", "sliding_window(600", "sliding_window(-1"),
        ("D04", "errors=[ResultMissing]", "errors=[str]"),
        ("D05", 'idempotency="optional"', 'idempotency="never"'),
    ],
)
def test_a_contract_that_does_not_compile_fails_what_its_mistake_is_about(
    project: Path, code: str, old: str, new: str
) -> None:
    change(project, CONTRACT, old, new)
    found = results(project)
    outcomes = {each["code"]: each["outcome"] for each in found.values()}
    assert outcomes == {each.code: "fail" if each.code == code else "could not check" for each in CRITERIA}
    assert found[code]["findings"][0]["what"].startswith("SP")


# -- what changes for clients


RAISING = """

from my_service import rules
from my_service.rules import checked as check

CODE = "BY_NAME"


class Local(Conflict):
    code = "LOCAL"


class Quiet(Conflict):
    code = "QUIET"


class Helper:
    def fails(self) -> None:
        raise Conflict("…", code="OF_A_METHOD")


def probe() -> None:
    raise Quiet


@implements(Task.delete)
async def delete_task(ctx: Context, task: Task) -> None:
    from my_service.rules import Inner

    try:
        probe()
    except Quiet:
        pass
    if task.title == "a":
        wrong = Local()
        raise wrong
    if task.title == "b":
        raise rules.Outer
    if task.title == "c":
        raise Conflict("…", code=CODE)
    if task.title == "d":
        raise Inner("…")
    if task.title == "e":
        raise ValueError("no error for clients")
    rules.helped()
    check()
    try:
        check()
    except Conflict as error:
        raise error
    raise {"f": Conflict}["f"]
"""

RULES = """\
from sternpost import Conflict


class Outer(Conflict):
    code = "OUTER"


class Inner(Conflict):
    code = "INNER"


def helped() -> None:
    raise Conflict("…", code="HELPED")


def checked() -> None:
    raise Conflict("…", code="CHECKED")
"""


def test_errors_are_found_however_they_are_raised(project: Path) -> None:
    with (project / SERVICES).open("a", encoding="utf-8") as file:
        file.write(RAISING)
    (project / "src/my_service/rules.py").write_text(RULES, "utf-8")
    emit(project)
    found = [each["what"] for each in results(project)["D04"]["findings"]]
    codes = ("LOCAL", "OUTER", "BY_NAME", "INNER", "HELPED", "CHECKED")
    assert found == [
        *(f"delete_task raises {code}, which its documentation does not tell" for code in codes),
        "delete_task raises what cannot be told from its source",
    ]


def test_mistakes_that_no_criterion_is_about_are_told_with_the_first(project: Path) -> None:
    change(project, CONTRACT, '        source="open",', '        timeout=-1,\n        source="open",')
    found = results(project)["D01"]
    assert (found["outcome"], found["findings"][0]["what"][:5]) == ("fail", "SP412")


def test_what_the_application_prints_is_no_part_of_the_report(project: Path) -> None:
    change(project, CONTRACT, "Status = Literal", 'print("hello")\nStatus = Literal')
    emit(project)
    assert all(each["outcome"] != "fail" for each in results(project).values())


def released(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "First")
    git(folder, "tag", "v1.0.0")


def test_what_breaks_clients_since_the_last_release_is_found(project: Path) -> None:
    released(project)
    assert results(project)["D09"]["outcome"] == "pass"
    change(project, CONTRACT, "max_length=200", "max_length=20")
    emit(project)
    found = results(project)["D09"]
    assert (found["outcome"], found["lookedAt"].startswith("changes since v1.0.0: ")) == ("fail", True)
    assert "breaks clients" in found["findings"][0]["what"]
    for until, outcome in (
        (TODAY + timedelta(days=90), "pass"),
        (TODAY + timedelta(days=91), "fail"),
        ("2020-01-01", "fail"),
    ):
        lines = [
            f'[[waiver]]\nid = "{each["where"]}"\nreason = "no client sends more"\nby = "ada"\nuntil = {until}\n'
            for each in found["findings"]
        ]
        (project / "contract-waivers.toml").write_text("\n".join(lines), "utf-8")
        assert results(project)["D09"]["outcome"] == outcome


def test_only_releases_before_this_commit_count(project: Path, tmp_path: Path) -> None:
    assert results(project)["D09"]["reason"] == "the project is in no repository of git"
    git(project, "init", "-q")
    assert results(project)["D09"]["reason"] == "nothing has been released yet"
    released(project)
    change(project, CONTRACT, "max_length=200", "max_length=20")
    emit(project)
    git(project, "commit", "-qam", "Second")
    for tag in ("v1.1.0-rc1", "2nd-attempt", "v1.1.0"):
        git(project, "tag", tag)
    found = results(project)["D09"]
    assert (found["outcome"], found["lookedAt"].split(":")[0]) == ("fail", "changes since v1.0.0")
    for name, problem in (
        ("HEAD", "is this very commit"),
        ("contract/plan.json", "is no commit"),
        ("v0", "is no commit"),
    ):
        change(project, PYPROJECT, GATES, f'{GATES}\nreleased = "{name}"')
        assert results(project)["D09"]["findings"][0]["what"] == f"{name!r} {problem}"
        change(project, PYPROJECT, f'{GATES}\nreleased = "{name}"', GATES)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{project}", "shallow")
    found = results(tmp_path / "shallow")["D09"]
    assert (found["outcome"], found["reason"]) == ("could not check", "the clone is shallow: it has no tags")
    (project / ".git/HEAD").write_text("garbage", "utf-8")
    assert results(project)["D09"]["outcome"] == "could not check"


def test_the_document_cannot_be_checked_without_its_library(project: Path) -> None:
    (project / "hidden").mkdir()
    (project / "hidden/openapi_spec_validator.py").write_text("raise ImportError\n", "utf-8")
    found = results(project, PYTHONPATH=str(project / "hidden"))["D08"]
    assert (found["outcome"], found["findings"][0]["fix"]) == (
        "could not check",
        "run: pip install 'sternpost[gates]'",
    )


def test_another_style_than_is_advised_passes_once_it_was_decided(project: Path) -> None:
    change(project, PYPROJECT, "simple-crud = true", "service-to-service = true")
    change(project, PYPROJECT, "auth = [", f'style = "{RECORD}"\nauth = [')
    found = results(project)["D11"]
    assert (found["outcome"], found["lookedAt"]) == (
        "pass",
        "gRPC +2 (service-to-service: strong); REST +1 (service-to-service: good); "
        f"GraphQL -1 (service-to-service: overkill); served as REST; decided by {RECORD}",
    )


def test_what_a_criterion_raises_is_no_pass(project: Path) -> None:
    change(project, PYPROJECT, "auth = [", "scans = 3\nauth = [")
    found = results(project)["D10"]
    assert found["outcome"] == "could not check"
    assert found["reason"].startswith("scans under [tool.sternpost.gates]")
