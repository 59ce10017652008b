"""What evidence is bound to: the contract, the code and the configuration that were looked at."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sternpost.app.loading import project_options
from sternpost.gates.git import git
from sternpost.gates.project import ADR, EMITTED, Project
from sternpost.settings import SECRETS, read_dotenv

OWN_FOLDER = ".sternpost"
"""Of evidence and of what a service makes for itself. It changes with every run, and is no code."""

_LEFT_OUT = frozenset((OWN_FOLDER, ".git", ".venv", "venv", "node_modules", "__pycache__"))
"""Folders that are no code, where git does not tell."""

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """SHA-256 of each, in hexadecimal digits.

    Attributes:
        contract: the plan's; empty where it does not compile.
        code: all files of the project, but those that git ignores.
        configuration: the variables that begin with STERNPOST_, of the environment and of `.env`. Of a secret it counts
            whether it is set, and not its value, which could be guessed from a digest.
    """

    contract: str
    code: str
    configuration: str

    def as_data(self) -> dict[str, str]:
        """JSON-ready."""
        return asdict(self)

    def changed_since(self, other: Fingerprint) -> list[str]:
        """The parts that differ."""
        return [name for name, digest in self.as_data().items() if digest != other.as_data()[name]]


def fingerprint(project: Project) -> Fingerprint:
    """Of a project as it is. Raises `OSError` where a file cannot be read."""
    contract = "" if project.application is None else project.plan.fingerprint
    return Fingerprint(contract, _code(project), _configuration(project.root))


def _code(project: Project) -> str:
    root = project.root
    whole = hashlib.sha256()
    for path in _paths(project):
        name = os.path.relpath(path, root)
        whole.update(name.encode(errors="surrogateescape") + b"\0")
        if path.is_symlink():
            whole.update(b"link " + os.fsencode(os.readlink(path)))
        elif path.is_file():
            whole.update(_digest(path))
        whole.update(b"\0")
    return whole.hexdigest()


def _paths(project: Project) -> list[Path]:
    """Every file that counts: those of the project, and of the folders beside it that it names."""
    root = project.root.resolve()
    found = {project.root / name for name in files_of(project.root)}
    named = [root / path for path in project_options(project.root).get("paths", ())]
    named += [project.folder("emitted", EMITTED), project.folder("adr", ADR)]
    for folder in named:
        if not folder.resolve().is_relative_to(root) or is_ignored(project.root, folder):
            found.update(folder / name for name in _walked(folder))
    return sorted(found)


def is_ignored(root: Path, path: Path) -> bool:
    """Whether git leaves it out; not where there is no git."""
    asked = git(root, "check-ignore", "-q", path)
    return asked is not None and asked.returncode == 0


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.digest()


def files_of(root: Path) -> list[str]:
    """The files of a project, from its folder on: those that git has or would add; where there is no git, all but
    those of folders that are no code."""
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None or listed.returncode != 0:
        return list(_walked(root))
    names = {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}
    if not names:  # a folder that the repository around it ignores
        return list(_walked(root))
    inner = [name for name in names if (root / name).is_dir() and not (root / name).is_symlink()]  # other repositories
    names |= {f"{name.rstrip('/')}/{file}" for name in inner for file in _walked(root / name)}
    return [name for name in names if name.split("/", 1)[0] != OWN_FOLDER and name not in inner]


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        for name in names:
            yield (Path(folder) / name).relative_to(root).as_posix()


def _configuration(root: Path) -> str:
    values = {**read_dotenv(root / ".env"), **os.environ}
    whole = hashlib.sha256()
    for name in sorted(values):
        if name.startswith("STERNPOST_") and values[name]:
            value = values[name]
            if name.removesuffix("_FILE") in SECRETS:  # of an address, what it is of
                value = value.partition("://")[0] if "://" in value else "set"
            whole.update(f"{name}={value}\0".encode(errors="surrogateescape"))
    return whole.hexdigest()
