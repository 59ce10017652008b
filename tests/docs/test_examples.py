"""The Python of the documentation runs: how-to pages as modules with their tests, the tutorial as the project it builds."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sternpost import Settings, Sternpost
from sternpost.settings import OTHER_VARIABLES
from sternpost.testing import Client
from tests.docs.pages import DOCS, ROOT, blocks, pages
from tests.support.server import environment

SECRET = "documentation-tests-3f8a1c6d9e2b7045"
FUTURE = "from __future__ import annotations\n"
TUTORIAL = DOCS / "tutorial" / "first-service.md"
WITH_PYTHON = [page for page in pages("how-to") if any(not block.title for block in blocks(page, "python"))]
WITH_FILES = [page for page in pages("how-to") if any(block.title for block in blocks(page, "python"))]
"""Pages whose titled blocks are files of a new project."""


def written(page: Path, folder: Path) -> Path:
    """The page's blocks, one after the other, as a file. Lines are kept, so that an error names the page's own line."""
    lines = [""] * page.read_text(encoding="utf-8").count("\n")
    for block in (block for block in blocks(page, "python") if not block.title):
        code = block.code.replace(FUTURE, "\n").splitlines()
        lines[block.line - 1 : block.line - 1 + len(code)] = code
    file = folder / f"{page.stem.replace('-', '_')}.py"
    file.write_text(FUTURE.rstrip() + "; " + "\n".join(lines).lstrip(" ") + "\n", encoding="utf-8")
    return file


def loaded(page: Path, folder: Path) -> ModuleType:
    """That file as a module."""
    file = written(page, folder)
    spec = importlib.util.spec_from_file_location(f"docs_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
async def test_how_to(page: Path, tmp_path: Path) -> None:
    module = loaded(page, tmp_path)
    assert isinstance(module.app, Sternpost)
    tests = [function for name, function in vars(module).items() if name.startswith("test_")]
    assert tests, "a page with Python shows that it works"
    for number, test in enumerate(tests):
        if "tmp_path" in inspect.signature(test).parameters:
            await test(tmp_path)
            continue
        module.app.use(
            Settings.model_validate(
                {"env": "test", "database_url": f"sqlite:///{tmp_path / f'{number}.sqlite'}", "jwt_secret": SECRET}
            )
        )
        async with Client(module.app) as client:
            await test(client)


@pytest.mark.parametrize("page", WITH_FILES, ids=lambda page: page.stem)
def test_files_of_a_project(page: Path, tmp_path: Path) -> None:
    env = environment()
    run = [sys.executable, "-m"]
    subprocess.run([*run, "sternpost", "new", "desk"], cwd=tmp_path, env=env, check=True, capture_output=True)
    project = tmp_path / "desk"
    for test in (project / "tests").glob("test_*.py"):
        test.unlink()
    for block in blocks(page, "python"):
        if block.title:
            (project / block.title).write_text(block.code, encoding="utf-8")
    done = subprocess.run([*run, "pytest", "-q"], cwd=project, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_type_checkers_accept_every_page(tmp_path: Path) -> None:
    for page in [*WITH_PYTHON, ROOT / "README.md"]:
        written(page, tmp_path)
    config = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT / "src"), str(ROOT / "examples" / "shop")]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "-p", str(tmp_path), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_tutorial(tmp_path: Path) -> None:
    """Follows the tutorial: makes the project, writes each file as the page shows it, runs its tests after each step."""
    env = environment()
    run = [sys.executable, "-m"]
    subprocess.run([*run, "sternpost", "new", "helpdesk"], cwd=tmp_path, env=env, check=True, capture_output=True)
    project = tmp_path / "helpdesk"
    for removed in re.findall(r"^\$ rm (\S+)$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE):
        (project / removed).unlink()
    steps = [block for block in blocks(TUTORIAL, "python") if block.title]
    assert len(steps) >= 5
    assert all(block.title for block in blocks(TUTORIAL, "python")), "every block says which file it is"
    text = TUTORIAL.read_text(encoding="utf-8").splitlines()
    for block, following in zip(steps, [*steps[1:], None], strict=True):
        file = project / str(block.title)
        file.write_text(block.code, encoding="utf-8")
        if not file.name.startswith(
            "test_"
        ):  # what `make dev` does; where the contract has a mistake, nothing is written
            emit = [*run, "sternpost", "contract", "emit", "--python", "src/helpdesk/data.py"]
            subprocess.run(emit, cwd=project, env=env, capture_output=True, check=False)
        said = "\n".join(text[block.line : following.line if following else None])
        if "\n## " in said:  # a section ends: whoever stops here has a contract that compiles, or is told why not
            check = subprocess.run(
                [*run, "sternpost", "contract", "check"],
                cwd=project,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            codes = set(re.findall(r"SP\d{3}", check.stderr))
            assert check.returncode == 0 or "does not compile" in said, check.stderr
            assert {code for code in codes if code not in said} == set(), f"after line {block.line}"
        if file.name.startswith("test_"):
            done = subprocess.run(
                [*run, "pytest", "-q"], cwd=project, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"after {block.title} (line {block.line}):\n{done.stdout}{done.stderr}"
    checked = subprocess.run(
        [*run, "sternpost", "contract", "check"], cwd=project, env=env, capture_output=True, text=True, check=True
    )
    shown = [block.code for block in blocks(TUTORIAL, "console") if "contract check" in block.code]
    assert checked.stdout.partition(", fingerprint")[0] in "".join(shown)


def _json_blocks() -> list[object]:
    return [
        pytest.param(block.code, id=f"{page.stem}:{block.line}") for page in pages() for block in blocks(page, "json")
    ]


@pytest.mark.parametrize("code", _json_blocks())
def test_json_is_json(code: str) -> None:
    assert isinstance(json.loads(code), dict)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_page_is_sound(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link
    known = {f"STERNPOST_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    named = set(re.findall(r"\bSTERNPOST_[A-Z_]*[A-Z]", text)) - known
    assert {name.removesuffix("_FILE") for name in named} <= known
    assert re.findall(r"/(?:root|work|home)/", text) == []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
