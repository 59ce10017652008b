"""I04: the form of errors."""

from __future__ import annotations

from collections.abc import Iterator

from sternpost.errors import CATALOGUE
from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project
from sternpost.gates.provoked import Asked, provoked
from sternpost.gates.tried import service_of

_INTERNAL = ("Traceback", "site-packages", "sqlite3.", "asyncpg", "sqlalchemy")
"""What no answer may show."""


def _check(project: Project) -> Answer:
    found = provoked(project)
    known = {*CATALOGUE, *(error.code for _, each in project.plan.operations.values() for error in each.errors)}
    errors = [asked for asked in (*found.bad, *found.other) if asked[1].status >= 400]
    findings = [
        Finding(f"operation {asked.operation}" if asked.operation else asked.path, f"{asked.what}: {problem}", fix)
        for asked, reply in errors
        for problem, fix in _problems((asked, reply), known)
    ]
    findings += [
        Finding(asked.path, f"{asked.what}: answered {reply.status}", "do not answer it by middleware")
        for asked, reply in found.other
        if reply.status not in asked.statuses
    ]
    findings += _of_log(project)
    codes = sorted({str(reply.error.get("code")) for _, reply in errors})
    return judged(f"{counted(len(errors), 'error')} with {counted(len(codes), 'code')}, and their log lines", findings)


def _problems(asked: Asked, known: set[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the answer of an error, and the fix."""
    _, reply = asked
    error = reply.error
    if reply.status >= 500:
        yield (
            f"answered {reply.status}",
            "look at the error in its log line: what is known is an error of Sternpost, not a bug",
        )
        return
    missing = [name for name in ("code", "message", "requestId") if not error.get(name)]
    if missing:
        yield (
            f"{reply.status} without {', '.join(missing)} in its error",
            "let Sternpost write the answer: raise its errors, and let middleware pass them on",
        )
    elif error["code"] not in known:
        yield f"the code {error['code']} is in no catalogue", "declare it with errors=[…] of the operation"
    shown = next((text for text in _INTERNAL if text.encode() in reply.content), None)
    if shown is not None:
        yield f"it shows {shown}", "put what is for the log into log={…} of the error"


def _of_log(project: Project) -> list[Finding]:
    """Errors that the log has no stack for, and stacks outside of it."""
    service = service_of(project)
    loose = [line for line in list(service.lines) if line.startswith("Traceback")]
    if not loose:
        return []
    fix = "log it with ctx.log, so that it has a request id"
    return [Finding("the log", f"{counted(len(loose), 'stack')} outside of log lines", fix)]


CRITERION = Criterion(
    "I04",
    "Errors are structured, and show nothing internal",
    "Clients decide by the code of an error. A stack trace tells attackers what to try next.",
    "Raise errors of Sternpost, or classes of them with a code of their own: they are logged, and "
    "answered, in one form.",
    _check,
    negotiable=False,
)
