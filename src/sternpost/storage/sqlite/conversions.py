"""The function by which migrations on SQLite convert values to another type, as PostgreSQL's casts do.

SQLite itself reads a number out of any text and keeps any text as a date. A value that does not fit becomes a BLOB
here, which no column takes, so the statement fails and the rows stay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from sternpost.kinds import INT64_MAX, INT64_MIN, in_places
from sternpost.ports.conversions import DATE_TEXT, INSTANT_TEXT, NUMBER_TEXT, UUID_TEXT, WHOLE_TEXT
from sternpost.ports.schema import Type

_FROM_TEN_TO_THE_15TH = 15
"""From there on, and below 0.0001, PostgreSQL writes a number with an exponent."""


def convert(value: Any, before: str, after: str) -> Any:
    """A value of one form in another form; a BLOB where it does not fit. NULL stays NULL."""
    if value is None:
        return None
    old, new = Type("", "", before), Type("", "", after)
    try:
        return _CONVERSIONS[_sort(old), _sort(new)](value, old.digits or (0, 0), new.digits or (0, 0))
    except (ValueError, ArithmeticError):
        return str(_decimal(value, old.digits) if old.digits else value).encode()


def _sort(form: Type) -> str:
    return "decimal" if form.digits else "text" if form.form in ("string", "enum") else form.form


Digits = tuple[int, int]


def _matched(pattern: str, text: str) -> str:
    if re.fullmatch(pattern, text) is None:
        raise ValueError
    return text


def _whole(number: int) -> int:
    if not INT64_MIN <= number <= INT64_MAX:
        raise ValueError
    return number


def _units(number: Decimal, digits: Digits) -> int:
    """A decimal as SQLite keeps it, rounded to its places; what has more digits than it may have does not fit."""
    most, places = digits
    found = int(in_places(number, places, ROUND_HALF_UP).scaleb(places))
    if abs(found) >= 10**most:
        raise ValueError
    return found


def _decimal(units: int, digits: Digits) -> Decimal:
    return Decimal(units).scaleb(-digits[1])


def _instant(text: str) -> str:
    found = datetime.fromisoformat(_matched(INSTANT_TEXT, text))
    return (found.astimezone(UTC) if found.tzinfo else found).replace(tzinfo=None).isoformat()


def _number_text(number: float) -> str:
    found = Decimal(repr(number))
    places = found.adjusted()
    if found == 0:
        return "-0" if str(number).startswith("-") else "0"
    if -5 < places < _FROM_TEN_TO_THE_15TH:
        text = format(found, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    digits = "".join(map(str, found.as_tuple().digits)).rstrip("0")
    point = f"{digits[0]}.{digits[1:]}" if digits[1:] else digits[0]
    return f"{'-' if number < 0 else ''}{point}e{'-' if places < 0 else '+'}{abs(places):02}"


def _number(text: str) -> float:
    found = float(_matched(NUMBER_TEXT, text))
    if not math.isfinite(found) or (found == 0) != (Decimal(text) == 0):
        raise ValueError
    return found


_CONVERSIONS: dict[tuple[str, str], Callable[[Any, Digits, Digits], Any]] = {
    ("text", "integer"): lambda v, _, __: _whole(int(_matched(WHOLE_TEXT, v))),
    ("text", "number"): lambda v, _, __: _number(v),
    ("text", "decimal"): lambda v, _, to: _units(Decimal(_matched(NUMBER_TEXT, v)), to),
    ("text", "boolean"): lambda v, _, __: ("false", "true").index(v),
    ("text", "uuid"): lambda v, _, __: str(UUID(_matched(UUID_TEXT, v))),
    ("text", "date"): lambda v, _, __: date.fromisoformat(_matched(DATE_TEXT, v)).isoformat(),
    ("text", "datetime"): lambda v, _, __: _instant(v),
    ("integer", "decimal"): lambda v, _, to: _units(Decimal(v), to),
    ("number", "text"): lambda v, _, __: _number_text(v),
    ("number", "integer"): lambda v, _, __: _whole(round(v)),
    ("number", "decimal"): lambda v, _, to: _units(Decimal(f"{v:.15g}"), to),
    ("decimal", "text"): lambda v, old, _: format(_decimal(v, old), "f"),
    ("decimal", "integer"): lambda v, old, _: int(_decimal(v, old)),
    ("decimal", "number"): lambda v, old, _: float(_decimal(v, old)),
    ("decimal", "decimal"): lambda v, old, to: _units(_decimal(v, old), to),
}
"""By what a value is and what it becomes; `sternpost.migrations.conversions` has the same in PostgreSQL's words."""
