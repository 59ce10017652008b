"""The result file: what was measured, on what, with which versions, at which commit."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from benchmarks.installing import GO_PACKAGES
from benchmarks.load import Result
from benchmarks.measure import Sample
from benchmarks.stacks import PEERS, ROOT, Stack

RESULTS = ROOT / "benchmarks/results"
OWN = (
    "sternpost",
    "asyncpg",
    "httptools",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-sdk",
    "orjson",
    "pydantic",
    "uvicorn",
    "uvloop",
)


@dataclass
class Report:
    """Everything of one run. Sections are empty where they were not measured.

    Attributes:
        kind: `bench`, `workers`, `scale`, `mechanisms` or `versus`.
        samples: of the comparison.
        sections: other measurements by name, each a list of rows.
    """

    kind: str
    made: str
    commit: str
    changed: bool
    machine: dict[str, Any]
    versions: dict[str, str]
    course: dict[str, Any] = field(default_factory=dict[str, Any])
    samples: list[Sample] = field(default_factory=list[Sample])
    sections: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])

    @classmethod
    def begin(cls, kind: str, stacks: Iterable[Stack]) -> Report:
        """A report without results, of this commit on this machine."""
        return cls(kind, datetime.now(UTC).isoformat(timespec="seconds"), *commit(), machine(), versions(stacks))

    @property
    def name(self) -> str:
        """Its file's name, without the ending."""
        more = "" if self.kind == "bench" else f"-{self.kind}"
        return f"{self.made[:10]}-{self.commit}{more}"

    def write(self, folder: Path = RESULTS) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2) + b"\n")
        return path

    @classmethod
    def read(cls, path: Path) -> Report:
        values: dict[str, Any] = orjson.loads(path.read_bytes())
        samples = [_sample(sample) for sample in values.pop("samples")]
        return cls(**values, samples=samples)


def _sample(values: dict[str, Any]) -> Sample:
    result = Result.from_json(orjson.dumps(values.pop("result")))
    return Sample(result=result, **values)


def newest(kind: str, folder: Path = RESULTS) -> Path | None:
    """The last result file of a kind, by the time that is written in it."""
    found = [(report.made, path) for path in folder.glob("*.json") if (report := Report.read(path)).kind == kind]
    return max(found)[1] if found else None


def commit() -> tuple[str, bool]:
    """The short hash, and whether what is measured differs from it."""
    head = git("rev-parse", "--short", "HEAD") or "unknown"
    return head, bool(git("status", "--porcelain", "--", "src", "examples", "benchmarks/*.py", "benchmarks/peers"))


def git(*arguments: str) -> str:
    """What git says about this checkout; empty where it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def machine() -> dict[str, Any]:
    """What it was measured on."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 2**20) if memory else None,
        "system": f"{platform.system()} {platform.release()}",
    }


def versions(stacks: Iterable[Stack]) -> dict[str, str]:
    """Of Python, of what Sternpost serves with, and of everything that the peers' lock files name directly."""
    found = {"python": platform.python_version(), **installed(OWN)}
    for peer in sorted({stack.peer for stack in stacks if stack.peer}):
        found.update({f"{peer}: {name}": number for name, number in locked(PEERS / peer).items()})
    if any(stack.peer and (PEERS / stack.peer / "package.json").is_file() for stack in stacks):
        done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
        found["node"] = done.stdout.strip().lstrip("v")
    return found


def installed(names: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are there."""
    found: dict[str, str] = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def locked(folder: Path) -> dict[str, str]:
    """The direct dependencies of a peer in the versions of its lock file."""
    if any(folder.glob("*.go")):
        return installed_go()
    if (folder / "package-lock.json").is_file():
        packages = orjson.loads((folder / "package-lock.json").read_bytes())["packages"]
        return {name: packages[f"node_modules/{name}"]["version"] for name in sorted(packages[""]["dependencies"])}
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    names = {re.split(r"[\[<>=~! ]", item)[0] for item in project["project"]["dependencies"]}
    lock = tomllib.loads((folder / "uv.lock").read_text())
    return {package["name"]: package["version"] for package in lock["package"] if package["name"] in names}


def installed_go() -> dict[str, str]:
    """The versions of Go and of pgx: packages of the system, as the system knows them."""
    commands = {"go": ["go", "env", "GOVERSION"], "pgx": ["dpkg-query", "-W", "-f", "${Version}", GO_PACKAGES[1]]}
    found: dict[str, str] = {}
    for name, command in commands.items():
        if shutil.which(command[0]) is not None:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            found[name] = done.stdout.strip().removeprefix("go")
    return found
