"""Commands on a project whose Python is broken: what is shown, and that the generated module can always be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Shell

CONTRACT = """
from __future__ import annotations
from sternpost import Contract, Create, Resource, public

class Thing(Resource, prefix="thi"):
    name: str
    create = Create(allow=public)

contract = Contract("things", resources=[Thing])
"""
SERVICES = """
from sternpost import Change, Context, implements
from things.contract import Thing
from things.data import *
from things.data import Data, ThingCreate, ThingTable, ThingWhere

NAMED_X: ThingWhere | None = ThingWhere(name="x")

class Own(ThingWhere, total=False):
    more: int

class OwnData(Data):
    pass

@implements(Thing.create)
async def create(ctx: Context, change: Change[Thing]) -> Thing:
    def inner(made: ThingCreate, table: ThingTable | None) -> None: ...
    return await change.apply()
"""
APP = """
from sternpost import Sternpost
from things import services
from things.contract import contract
app = Sternpost(contract, services=[services])
"""
EMIT = ("contract", "emit", "--python", "things/data.py")
FIX = "Generate it again: sternpost contract emit --python things/data.py"

BROKEN = {
    "missing": None,
    "empty": b"",
    "of an older contract": b"from things.contract import Gone\n",
    "with a name too few": b"class Data: ...\n",
    "no Python": b"<<<<<<< HEAD\n",
    "no text": b"a\0b\xff",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.sternpost]\napp = "things.app:app"\ndata = "things/data.py"\n', encoding="utf-8"
    )
    package = tmp_path / "things"
    package.mkdir()
    for name, text in {"__init__": "", "contract": CONTRACT, "services": SERVICES, "app": APP}.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_the_generated_module_is_made_anew_whatever_it_is(project: Path, content: bytes | None) -> None:
    file, shell = project / "things" / "data.py", Shell(project, "sqlite:///x.sqlite")
    if content is not None:
        file.write_bytes(content)
        assert shell("contract", "check").returncode == 1
    made = shell(*EMIT)
    assert (made.returncode, made.stderr) == (0, "")
    assert "ThingWhere" in file.read_text(encoding="utf-8")
    checked = shell("contract", "check")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_broken_generated_module_is_told_with_the_command_that_makes_it(project: Path) -> None:
    (project / "things" / "data.py").write_text("from things.contract import Gone\n", encoding="utf-8")
    assert FIX in Shell(project, "sqlite:///x.sqlite")("contract", "check").stderr


def test_what_cannot_be_written_is_told(project: Path) -> None:
    shell = Shell(project, "sqlite:///x.sqlite")
    assert shell(*EMIT).returncode == 0
    for path in ("things", "pyproject.toml/data.py"):
        refused = shell("contract", "emit", "--python", path)
        assert refused.returncode == 2
        assert "cannot be written" in refused.stderr
        assert "Traceback" not in refused.stderr


ERRORS = {
    "a wrong name": ("x = undefined\n", "NameError: name 'undefined' is not defined"),
    "a wrong import": ("import things.contrct\n", "ModuleNotFoundError: No module named 'things.contrct'"),
    "no Python": ("def x(:\n", "SyntaxError"),
    "an error in a library": ("import json\njson.loads('{')\n", "JSONDecodeError"),
    "an error of Sternpost": ("from sternpost import Contract\nContract()\n", "TypeError: Contract.__init__() missing"),
    "an error that came of another": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('b') from e\n",
        "ZeroDivisionError",
    ),
    "a group of errors": ("raise ExceptionGroup('several', [KeyError('a')])\n", "KeyError: 'a'"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), ERRORS.values(), ids=ERRORS)
def test_an_error_shows_the_authors_own_lines_alone(project: Path, text: str, said: str) -> None:
    (project / "things" / "contract.py").write_text("# its first line\n" + text, encoding="utf-8")
    shell = Shell(project, "sqlite:///x.sqlite")
    for command in (("contract", "check"), ("migrate", "status"), ("serve",)):
        failed = shell(*command)
        assert failed.returncode == 1
        assert said in failed.stderr
        assert 'File "things/app.py", line 3, in <module>' in failed.stderr
        assert "things/contract.py" in failed.stderr
        files = [line for line in failed.stderr.splitlines() if line.lstrip(" |").startswith("File ")]
        assert [line for line in files if "things/" not in line] == []
        assert len(files) <= 4
    assert "STERNPOST_TRACEBACK=full" in failed.stderr
    shell.environment["STERNPOST_TRACEBACK"] = "full"
    whole = shell("contract", "check")
    assert whole.returncode == 1
    assert "importlib" in whole.stderr
