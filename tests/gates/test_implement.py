"""The second gate: each criterion is met by a project, and found out where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sternpost.gates.implement import CRITERIA
from sternpost.gates.implement.secrets import entropy, found_in
from tests.gates.project import CONTRACT, PYPROJECT, SERVICES, change, environment, git, sternpost

APP = "src/my_service/app.py"
TESTS = "tests/test_tasks.py"
MIDDLEWARE = """
async def deny(send, status, body):
    await send({{"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]}})
    await send({{"type": "http.response.body", "body": body}})


class Wrapper:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and {condition}:
            await deny(send, {status}, b"nope")
            return
        await self.app(scope, receive, send)


app = Sternpost(contract, services=[services], middleware=[Wrapper])
"""


def asked(folder: Path, code: str, **environment: str) -> dict[str, Any]:
    """What one criterion says."""
    done = sternpost(folder, "gate", "implement", "--only", code, "--json", **environment)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert not (folder / ".sternpost/evidence/implement.json").exists()
    assert (done.returncode == 0) == report["passed"]
    (found,) = report["criteria"]
    return found


def wrapped(condition: str, status: int) -> Callable[[Path], object]:
    """Puts a middleware around the application, which answers some requests by itself."""
    made = MIDDLEWARE.format(condition=condition, status=status)
    return lambda folder: change(folder, APP, "app = Sternpost(contract, services=[services])", made)


def edit(file: str, old: str, new: str) -> Callable[[Path], object]:
    return lambda folder: change(folder, file, old, new)


def write(file: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_text(text, "utf-8")


def with_crash(folder: Path) -> None:
    """An operation that takes any JSON, and a function that does not expect it."""
    change(folder, CONTRACT, "    Browse,\n", "    Browse,\n    Custom,\n    Json,\n    Payload,\n")
    change(
        folder,
        CONTRACT,
        "class Task(",
        'class Import(Payload):\n    """Rows."""\n\n    rows: Json = field(example=[])\n\n\nclass Task(',
    )
    change(
        folder,
        CONTRACT,
        "    finish = Transition(",
        '    load = Custom(on="collection", input=Import, output=None, allow=can_write)\n    finish = Transition(',
    )
    change(
        folder,
        SERVICES,
        "@implements(Task.finish)",
        "@implements(Task.load)\nasync def load(ctx: Context, input: Import) -> None:\n"
        '    """Loads rows."""\n    for row in input.rows:\n        row.lower()\n\n\n@implements(Task.finish)',
    )
    change(folder, SERVICES, "import ResultMissing, Task", "import Import, ResultMissing, Task")


def with_old_secret(folder: Path) -> None:
    git(folder, "init", "-q")
    (folder / "notes.txt").write_text(f"key: {AWS}\n", "utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Note the key")
    (folder / "notes.txt").write_text("key: gone\n", "utf-8")
    git(folder, "commit", "-qam", "Remove the key")


AWS = "AKIA" + "IOSFODNN7ABCDEFG"


@dataclass(frozen=True)
class Spoiled:
    """A way to spoil a project, and what the criterion then finds: where, and parts of what it says."""

    code: str
    spoil: Callable[[Path], object]
    found: tuple[tuple[str, str], ...]


FINISH = "operation tasks.finish"
SPOILED = {
    "a contract that imports services": Spoiled(
        "I01",
        edit(
            CONTRACT, "from datetime import datetime\n", "from datetime import datetime\nimport my_service.services\n"
        ),
        (
            (
                "[tool.importlinter] in pyproject.toml",
                "my_service.contract is not allowed to import my_service.services",
            ),
        ),
    ),
    "no layers": Spoiled(
        "I01",
        edit(PYPROJECT, "[[tool.importlinter.contracts]]", "[tool.other]"),
        (("[tool.importlinter] in pyproject.toml", "nothing says which part may import which"),),
    ),
    "a function that does nothing": Spoiled(
        "I02",
        edit(
            SERVICES,
            "@implements(Task.finish)",
            "@implements(Task.delete)\n"
            "async def remove(ctx: Context, task: Task) -> None:\n"
            '    """Removes."""\n    raise NotImplementedError\n\n\n@implements(Task.finish)',
        ),
        (("operation tasks.delete", "remove does nothing yet"),),
    ),
    "a function that does not expect its input": Spoiled(
        "I03",
        with_crash,
        (("operation tasks.load", "lists within lists as rows: answered 500"),),
    ),
    "an error in a form of its own": Spoiled(
        "I04",
        wrapped('scope["path"].endswith("no-such-address")', 404),
        (("/api/v1/no-such-address", "404 without code, message, requestId in its error"),),
    ),
    "no migration": Spoiled(
        "I05",
        lambda folder: [path.unlink() for path in (folder / "migrations").glob("*.py")],
        (("migrations", "there is no migration"),),
    ),
    "a migration that is behind": Spoiled(
        "I05",
        edit(CONTRACT, "max_length=200", "max_length=300"),
        (("migrations", "The contract has changes without a migration"),),
    ),
    "a way past the policies": Spoiled(
        "I06",
        wrapped('scope["method"] == "DELETE"', 204),
        tuple(
            ("operation tasks.delete", part) for part in ("nobody: answered 204, not 401", "a forged token: answered")
        ),
    ),
    "a way that is closed to all": Spoiled(
        "I06",
        wrapped('scope["method"] == "PATCH"', 401),
        (("operation tasks.update", "tasks:write: answered 401, although it is known who calls"),),
    ),
    "a criterion without a test": Spoiled(
        "I07",
        edit(TESTS, '@pytest.mark.proves("tasks.delete", "gone")\n', ""),
        (("operation tasks.delete", "gone (A deleted task does not exist any more): no test proves it"),),
    ),
    "an operation without criteria": Spoiled(
        "I07",
        edit(CONTRACT, ', acceptance={"gone": "A deleted task does not exist any more"}', ""),
        (
            ("operation tasks.delete", "nothing says what has to be true of it"),
            ("tests/test_tasks.py::test_deleting", "it proves tasks.delete gone, which the contract does not have"),
        ),
    ),
    "a test that fails": Spoiled(
        "I07",
        edit(
            TESTS,
            "delete(f\"{TASKS}/{task['id']}\")).status == 204",
            "delete(f\"{TASKS}/{task['id']}\")).status == 200",
        ),
        (
            ("the tests", "pytest ends with status 1"),
            ("operation tasks.delete", "tests/test_tasks.py::test_deleting does not pass"),
        ),
    ),
    "code that no test reaches": Spoiled(
        "I08",
        write(
            "src/my_service/prices.py",
            "def price(x):\n" + "".join(f"    x += {n}\n" for n in range(60)) + "    return x\n",
        ),
        (("the code", "src/my_service/prices.py: 1–62"),),
    ),
    "a critical function that is half tested": Spoiled(
        "I08",
        lambda folder: (
            change(folder, CONTRACT, '        "status",\n', '        "status",\n        critical=True,\n'),
            change(
                folder,
                SERVICES,
                "    if not task.result:\n",
                "    if task.title == 'never':\n        ctx.now()\n        ctx.now()\n    if not task.result:\n",
            ),
        ),
        (("operation tasks.finish, which is critical", "tests reach 7"),),
    ),
    "a secret in a file": Spoiled("I09", write("notes.txt", f"key: {AWS}\n"), (("notes.txt:1", "a key of AWS"),)),
    "a secret in the history": Spoiled("I09", with_old_secret, (("commit ", "a key of AWS"),)),
    "an error that nobody is told of": Spoiled(
        "I10",
        write(
            "src/my_service/more.py",
            "def half(x):\n    try:\n        return 1 / x\n    except Exception:\n        pass\n",
        ),
        (("src/my_service/more.py:4", "except Exception does nothing about the error"),),
    ),
    "state in a module": Spoiled(
        "I11",
        write("src/my_service/more.py", "SEEN = []\n\n\ndef see(x):\n    SEEN.append(x)\n"),
        (("src/my_service/more.py:1", "SEEN is shared by all calls"),),
    ),
    "no decision about caching": Spoiled(
        "I12",
        edit(
            CONTRACT,
            'read = Read(\n        allow=this.is_owner | sees_all,\n        cache="none",',
            "read = Read(\n        allow=this.is_owner | sees_all,",
        ),
        (("operation tasks.read", "nobody has decided whether its answers are kept"),),
    ),
}


QUICK = ("I02", "I09", "I10", "I11", "I12")
"""Criteria that are tried in each run of the tests; the others start more programs."""

CASES = [pytest.param(name, marks=() if case.code in QUICK else pytest.mark.slow) for name, case in SPOILED.items()]


@pytest.mark.parametrize("name", CASES)
def test_what_is_missing_is_found(complete: Path, name: str) -> None:
    case = SPOILED[name]
    case.spoil(complete)
    found = asked(complete, case.code)
    assert found["outcome"] == "fail", found
    for where, what in case.found:
        assert any(each["where"].startswith(where) and what in each["what"] for each in found["findings"]), found
    assert all(each["fix"] for each in found["findings"])


def test_every_criterion_has_a_project_that_fails_it() -> None:
    assert {case.code for case in SPOILED.values()} == {criterion.code for criterion in CRITERIA}


def test_a_project_passes_both_gates(complete: Path) -> None:
    refused = sternpost(complete, "gate", "implement")
    assert (refused.returncode, "comes after design, which is not run" in refused.stderr) == (2, True), refused.stderr
    assert sternpost(complete, "gate", "design").returncode == 0
    done = sternpost(complete, "gate", "implement", "--json")
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["passed"], [each for each in report["criteria"] if each["outcome"] != "pass"]
    assert {each["code"]: each["outcome"] for each in report["criteria"]} == {each.code: "pass" for each in CRITERIA}
    assert sternpost(complete, "gate", "status").returncode == 0
    change(complete, SERVICES, "A task that is done", "A task which is done")
    status = sternpost(complete, "gate", "status", "--json")
    assert [each["state"] for each in json.loads(status.stdout)] == ["stale", "stale"]
    assert status.returncode == 1


@pytest.mark.slow
def test_a_service_that_does_not_start_was_not_looked_at(complete: Path) -> None:
    change(complete, APP, "services=[services])", "services=[services], on_start=[stop])")
    change(
        complete,
        APP,
        "app = ",
        'async def stop() -> None:\n    raise RuntimeError("no mail server")\n\n\napp = ',
    )
    for code in ("I03", "I04", "I06"):
        found = asked(complete, code)
        assert found["outcome"] == "could not check"
        assert found["findings"][0]["what"].startswith("The service does not start: "), found


@pytest.mark.parametrize("values", ['"abc"', "[1]"])
def test_digits_that_are_no_list_are_told(complete: Path, values: str) -> None:
    change(complete, PYPROJECT, "[tool.sternpost.gates]\n", f"[tool.sternpost.gates]\nno-secrets = {values}\n")
    found = asked(complete, "I09")
    assert found["outcome"] == "could not check"
    assert "has to be a list of digits" in found["reason"]


def test_what_only_looks_like_a_secret_is_accepted(complete: Path) -> None:
    (complete / "notes.txt").write_text(f"key: {AWS}\n", "utf-8")
    (finding,) = asked(complete, "I09")["findings"]
    digits = finding["what"].rpartition("(")[2].rstrip(")")
    change(complete, PYPROJECT, "[tool.sternpost.gates]\n", f'[tool.sternpost.gates]\nno-secrets = ["{digits}"]\n')
    found = asked(complete, "I09")
    assert (found["outcome"], "1 accepted as no secret" in found["lookedAt"]) == ("pass", True)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("-----BEGIN RSA " + "PRIVATE KEY-----", ["a private key"]),
        (
            "token = 'ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'",
            ["a token of GitHub", "a random value of a secret's name"],
        ),
        ("DATABASE_URL=postgresql://shop:" + "s3cr3tPa55@db/shop", ["a password in an address"]),
        ('password = "' + 'kX9vQ2mZ7pL4wT8r"', ["a random value of a secret's name"]),
        ('password = "change-me-in-production-2026"', []),
        ("password: str = field(min_length=12)", []),
        ("url = postgresql://shop:${PASSWORD}@db/shop", []),
        ("url = postgresql://user:password@host/name", []),
        ("secret_of_application_settings_name = value_of_the_settings_object", []),
    ],
)
def test_what_is_taken_for_a_secret(line: str, what: list[str]) -> None:
    assert [found for found, _ in found_in(line)] == what


def test_words_are_less_random_than_keys() -> None:
    assert entropy("the-name-of-a-setting") < 3.7 < entropy("kX9vQ2mZ7pL4wT8r")


def test_a_criterion_of_another_gate_is_refused(complete: Path) -> None:
    done = sternpost(complete, "gate", "implement", "--only", "D01")
    assert (done.returncode, "The gate implement has no criterion D01" in done.stderr) == (2, True), done.stderr


@pytest.mark.slow
def test_a_gate_that_is_killed_leaves_no_service_and_no_evidence(complete: Path) -> None:
    assert sternpost(complete, "gate", "design").returncode == 0
    command = [sys.executable, "-m", "sternpost", "gate", "implement"]
    gate = subprocess.Popen(
        command, cwd=complete, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    service = await_service(gate.pid)
    gate.kill()
    gate.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{service}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{service}").exists(), "the service outlives the gate that had started it"
    assert json.loads(sternpost(complete, "gate", "status", "--json").stdout)[1]["state"] == "not run"


def await_service(parent: int) -> int:
    """The process id of the service that a gate has started."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for number in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split():
            if b"\0serve\0" in Path(f"/proc/{number}/cmdline").read_bytes():
                return int(number)
        time.sleep(0.05)
    raise AssertionError("the gate has started no service")
