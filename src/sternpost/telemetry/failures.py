"""What log lines say of an error: its causes by their types, and its stack, each of them once in a call."""

from __future__ import annotations

import contextlib
import dis
import os
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path

from sternpost.errors import SternpostError

CAUSES_MAX = 20
"""How many errors of a chain are told: a loop that raises again and again makes a long one."""

_RAISE = dis.opmap["RAISE_VARARGS"]
_OURS = str(Path(__file__).parents[1]) + os.sep
_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_PACKAGES = f"{os.sep}site-packages{os.sep}"

_TOLD_IN = "_sternpost_told_in"
"""The attribute of an error that says which call's lines have its stack already."""


def chain_of(error: BaseException) -> Sequence[BaseException]:
    """The error, and what caused it, the innermost last, as Python's own tracebacks follow them."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(found) < CAUSES_MAX and not any(cause is each for each in found):
        found.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return found


def told_as(error: BaseException) -> str:
    """Its type, with its module. Its message follows only where it speaks of code: a database, a KeyError, or an author
    puts values of rows into it."""
    return f"{type(error).__module__}.{type(error).__qualname__}{_own_message(error)}"


def stack_of(chain: Sequence[BaseException], call: str | None) -> str:
    """The frames of a chain. What a line of the same call has told already is not told again.

    Args:
        call: its request id; None where the error belongs to no call.
    """
    lines: list[str] = []
    for each in chain:
        if lines:
            lines.append("caused by")
        if call is not None and getattr(each, _TOLD_IN, None) == call:
            lines.append(f"{told_as(each)} (its stack is in an earlier line of this request)")
            break
        frames = traceback.extract_tb(each.__traceback__)
        lines += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        lines.append(told_as(each))
        if call is not None:
            with contextlib.suppress(AttributeError, TypeError):  # an author's class may take no attributes
                setattr(each, _TOLD_IN, call)
    return "\n".join(lines)


def _speaks_of_code(error: BaseException) -> bool:
    """Whether its type is one whose messages do, and Python itself, its library or this package has written it."""
    if not isinstance(error, RuntimeError | TypeError | AssertionError | AttributeError):
        return False
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    if code.co_code[trace.tb_lasti] != _RAISE:  # Python has raised it where something cannot be done
        return True
    file = code.co_filename
    return file.startswith(_OURS) or (file.startswith(_LIBRARY) and _PACKAGES not in file)


def _own_message(error: BaseException) -> str:
    if not isinstance(error, SternpostError) and not _speaks_of_code(error):
        return ""
    try:
        return f": {error}"
    except Exception as failure:  # noqa: BLE001  (an author's class: its line must not be lost for its text)
        return f": its text cannot be made ({type(failure).__name__})"
