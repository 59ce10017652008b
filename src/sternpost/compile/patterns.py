"""Regular expressions that mean one thing everywhere: to Python, to the validator (Rust) and to clients
(ECMAScript)."""

from __future__ import annotations

import re
import warnings

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_UNSHARED: tuple[tuple[str, str], ...] = (
    (r"\(\?[^:]", "it contains a group of the form (?…), which not every language supports; only (?:…) is allowed"),
    (r"[*+?}]\+", "it contains a possessive quantifier, which not every language supports"),
)
_UNSHARED_ESCAPE = re.compile(r"\\[1-9AZzGQE]")


def wrong_pattern(pattern: object) -> str | None:
    """Why a pattern cannot be used, or None."""
    if not isinstance(pattern, str):
        return "it is not a string"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a warning means that a later Python version will interpret it differently
            re.compile(pattern)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        return str(error)
    escape = next((found for found in _ESCAPED.findall(pattern) if _UNSHARED_ESCAPE.fullmatch(found)), None)
    if escape is not None:
        return f"it contains {escape}, which not every language supports"
    rest = _CLASS.sub("_", _ESCAPED.sub("_", pattern))
    return next((reason for construct, reason in _UNSHARED if re.search(construct, rest)), None)
