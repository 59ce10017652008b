"""The evidence of a gate: what was looked at and found, bound to what the project was then.

A digest over the whole tells a file that was edited. It is no signature: who can run the gate can also write evidence.
So whoever releases runs the gate, and does not trust a file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import orjson

from sternpost.errors import StartupError
from sternpost.gates.fingerprint import OWN_FOLDER, Fingerprint

FOLDER = Path(OWN_FOLDER) / "evidence"
_JSON = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


class BrokenEvidence(Exception):
    """A file is no evidence as a gate has written it; the message says why."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a gate has written.

    Attributes:
        data: all of it, as in the file, but the digest.
        digest: SHA-256 of it; later gates name it.
    """

    gate: str
    passed: bool
    at: datetime
    fingerprint: Fingerprint
    earlier: Mapping[str, str]
    """The digests of the evidence of the gates before it."""
    data: Mapping[str, Any]
    digest: str


def path_of(root: Path, gate: str) -> Path:
    """Where the evidence of a gate is kept."""
    return root / FOLDER / f"{gate}.json"


def write_evidence(root: Path, gate: str, data: Mapping[str, Any]) -> Path:
    """Keeps evidence, in one step: a reader finds all of it or none. Raises `StartupError`."""
    path = path_of(root, gate)
    content = orjson.dumps({**data, "digest": digest_of(data)}, option=_JSON)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{gate}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(made).replace(path)
        except BaseException:
            with suppress(OSError):
                os.unlink(made)
            raise
    except OSError as error:
        raise StartupError(f"The evidence cannot be written to {path}: {error.strerror}") from error
    return path


def forget(root: Path, gate: str) -> None:
    """Removes the evidence of a gate that begins: one that is killed leaves none. Raises `StartupError`."""
    try:
        path_of(root, gate).unlink(missing_ok=True)
    except OSError as error:
        raise StartupError(f"{path_of(root, gate)} cannot be removed: {error.strerror}") from error


def read_evidence(root: Path, gate: str) -> Evidence | None:
    """The evidence of a gate; None where there is none.

    Raises:
        BrokenEvidence: it was edited, or is none.
    """
    kept = read_kept(root, gate)
    if kept is None:
        return None
    data, digest = kept
    try:
        at = datetime.fromisoformat(data["at"])
        if at.tzinfo is None or not all(each["code"] for each in data["criteria"]) or not data["sternpost"]:
            raise ValueError
        return Evidence(
            data["gate"],
            data["passed"],
            at,
            Fingerprint(**data["fingerprint"]),
            dict(data["earlier"]),
            data,
            digest,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BrokenEvidence("it was written by another release") from error


def read_kept(root: Path, name: str) -> tuple[dict[str, Any], str] | None:
    """What `write_evidence` has written, and its digest; None where there is nothing. Raises `BrokenEvidence`."""
    path = path_of(root, name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BrokenEvidence(f"it cannot be read: {error.strerror}") from error
    try:
        read = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BrokenEvidence("it is no JSON") from error
    if not isinstance(read, dict):
        raise BrokenEvidence("it is no JSON object")
    data = cast("dict[str, Any]", read)
    digest = data.pop("digest", None)
    if digest != digest_of(data):
        raise BrokenEvidence("it was changed after it had been written")
    return data, digest


def digest_of(data: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON, in hexadecimal digits."""
    return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()
