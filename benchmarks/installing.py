"""Puts the peers into `.bench/peers`: their sources, their locked dependencies, and what is compiled of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
HOME = ROOT / ".bench"
"""What is installed and written on demand; ignored by git."""

MADE = shutil.ignore_patterns("node_modules", ".venv", "dist", "generated", "__pycache__")
"""What whoever works on a peer may have made in its folder."""

GO_SOURCES = Path("/usr/share/gocode")
"""Where Debian's packages put the sources of Go libraries."""

GO_PACKAGES = ("golang-go", "golang-github-jackc-pgx-v4-dev")
GO_NEEDS = (
    f"Go 1.19 or newer and pgx v4 below {GO_SOURCES} are needed: on Debian and Ubuntu `apt-get install "
    f"{' '.join(GO_PACKAGES)}`. Without them, leave go-bare out of --stacks"
)
NODE_NEEDS = "Node.js 20 or newer with npm is needed"
APT_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive"}


class StackError(Exception):
    """A stack cannot be installed, or does not start; the message has what it said."""


def install(peer: str) -> None:
    """Copies a peer and installs it there, unless what it is made of is installed already.

    Raises:
        StackError: something is missing on this machine, or an installer failed.
    """
    source, home = PEERS / peer, HOME / "peers" / peer
    digest, stamp = made_of(source), home / ".installed"
    if stamp.is_file() and stamp.read_text() == digest:
        copy(source, home)
        return
    stamp.unlink(missing_ok=True)
    copy(source, home)
    if (source / "package-lock.json").is_file():
        install_node(home)
    elif (source / "uv.lock").is_file():
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or "uv"
        command = [uv, "sync", "--locked", "--python", sys.executable]
        run(command, home, "uv is needed (make installs it)", {"UV_PROJECT_ENVIRONMENT": str(home / ".venv")})
    else:
        install_go(home)
    stamp.write_text(digest)


def copy(source: Path, home: Path) -> None:
    """Its files as they are now; what was installed beside them stays."""
    shutil.copytree(source, home, dirs_exist_ok=True, ignore=MADE)


def is_compiled(source: Path) -> bool:
    """Whether its sources are compiled when it is installed."""
    return any(source.rglob("*.go")) or (source / "tsconfig.json").is_file()


def made_of(source: Path) -> str:
    """Changes when it has to be installed anew: with its lock file, and where it is compiled, with each of its files."""
    names = sorted(path for path in source.rglob("*") if path.is_file() and "node_modules" not in path.parts)
    locks = [path for path in names if path.name in ("package-lock.json", "uv.lock")]
    digest = hashlib.sha256()
    for path in names if is_compiled(source) else locks:
        digest.update(f"{path.relative_to(source)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install_node(home: Path) -> None:
    """What the lock file names; then what the package builds of itself.

    Where there is something to build, install scripts of dependencies are not run: Prisma's would download engines
    that its client without Rust does not use, and nothing else has any.
    """
    builds = is_compiled(home)
    more = ["--ignore-scripts"] if builds else []
    run(["npm", "ci", "--no-audit", "--no-fund", *more], home, NODE_NEEDS)
    if builds:
        run(["npm", "run", "build"], home, NODE_NEEDS)


def install_go(home: Path) -> None:
    """Compiles a peer with the libraries that the system's packages bring; they are installed where that is allowed.

    Raises:
        StackError: they are missing; the message says which packages have them.
    """
    pgx = GO_SOURCES / "src/github.com/jackc/pgx/v4/pgxpool"
    if shutil.which("go") is None or not pgx.is_dir():
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise StackError(GO_NEEDS)
        run(["apt-get", "update", "-qq"], home, GO_NEEDS, APT_ENVIRONMENT)
        run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *GO_PACKAGES],
            home,
            GO_NEEDS,
            APT_ENVIRONMENT,
        )
    # the libraries are found below GOPATH, not fetched: the packages of the system have no module versions
    environment = {"GO111MODULE": "off", "GOPATH": str(GO_SOURCES), "GOCACHE": str(home / ".cache"), "GOFLAGS": ""}
    run(["go", "build", "-o", "server", "."], home, GO_NEEDS, environment)


def run(command: list[str], folder: Path, needs: str, environment: Mapping[str, str] | None = None) -> None:
    """Runs an installer; what it says is shown when it fails."""
    variables = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise StackError(f"{command[0]} was not found: {needs}") from error
    if done.returncode != 0:
        said = f"{done.stdout[-1000:]}{done.stderr[-2000:]}"
        raise StackError(f"{' '.join(command)} failed in {folder}:\n{said}\n{needs}")
