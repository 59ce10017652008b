"""D08: the description of the API, for review."""

from __future__ import annotations

from typing import Any

import orjson

from sternpost.derive.emit import openapi_file
from sternpost.gates.criterion import Answer, Criterion, Finding, could_not_check, counted, judged
from sternpost.gates.fingerprint import is_ignored
from sternpost.gates.project import EMITTED, Project

FILE = "openapi.json"
_EMIT = "run: sternpost contract emit, review what changed, and commit it"
_SHOWN = 10
"""How many contradictions of the specification are listed."""


def _check(project: Project) -> Answer:
    path = project.folder("emitted", EMITTED) / FILE
    where = project.shown(path)
    if is_ignored(project.root, path):
        return judged(
            where, [Finding(where, "git ignores it, so that nobody can review it", "take it out of .gitignore")]
        )
    if not path.is_file():
        return judged(where, [Finding(where, "the file does not exist", _EMIT)])
    content = path.read_bytes()
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return judged(where, [Finding(where, f"it is no JSON: {error}", _EMIT)])
    try:
        from openapi_spec_validator import OpenAPIV31SpecValidator
    except ImportError:
        return could_not_check(where, "openapi-spec-validator is not installed", "run: pip install 'sternpost[gates]'")
    wrong: list[Any] = [
        error for error, _ in zip(OpenAPIV31SpecValidator(document).iter_errors(), range(_SHOWN), strict=False)
    ]
    findings = [Finding(where, f"it contradicts OpenAPI 3.1: {error.message}", _EMIT) for error in wrong]
    if unlike(content, openapi_file(project.plan)):
        findings.append(Finding(where, "it is not that of the contract as it is", _EMIT))
    return judged(f"{where}, OpenAPI 3.1 with {counted(len(document.get('paths', {})), 'path')}", findings)


def unlike(content: bytes, expected: bytes) -> bool:
    """Whether a file is another one, whatever ends its lines: a checkout may have changed that."""
    return content.replace(b"\r\n", b"\n") != expected


CRITERION = Criterion(
    "D08",
    "The OpenAPI document is written to a file, valid, and that of the contract",
    "A file can be reviewed and compared; what only a running service tells is looked at when clients have broken.",
    "Run `sternpost contract emit` and commit the folder that it writes.",
    _check,
)
