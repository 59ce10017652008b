"""Reads what is sent to the ops port: texts, numbers and the time until which something holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sternpost.errors import Detail, Invalid

DAYS_MAX = 30
REASON_CHARACTERS_MAX = 500


def members(body: Any, names: tuple[str, ...]) -> Mapping[str, Any]:
    """The members of an object. Raises `Invalid` where it is none."""
    if not isinstance(body, dict):
        raise Invalid(details=[Detail("", "type", f"Send an object with {', '.join(names)}")])
    return cast("dict[str, Any]", body)


def unknown(sent: Mapping[str, Any], names: tuple[str, ...]) -> list[Detail]:
    """What is wrong with members of other names."""
    return [Detail(name, "unknown", f"There are only {', '.join(names)}") for name in sent.keys() - {*names}]


def until(value: Any, now: datetime) -> datetime | Detail:
    """The end of something that holds for a time: seconds from now, or an instant with a zone. Or what is wrong."""
    found = _instant(value, now)
    if found is not None and now < found <= now + timedelta(days=DAYS_MAX):
        return found
    return Detail("expires", "range", f"Seconds, or an instant with a zone, from now on for at most {DAYS_MAX} days")


def reason_problems(value: Any) -> list[Detail]:
    """What is wrong with a reason: each change has one, for whoever reads the log later."""
    if is_text(value, REASON_CHARACTERS_MAX):
        return []
    return [Detail("reason", "missing", f"Say why, in at most {REASON_CHARACTERS_MAX} characters")]


def is_text(value: Any, characters_max: int) -> bool:
    """Whether it is a text that says something."""
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= characters_max


def is_whole(value: Any) -> bool:
    """Whether it is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _instant(value: Any, now: datetime) -> datetime | None:
    """The instant that is meant; None where none is."""
    if is_number(value):
        return now + timedelta(seconds=value) if 0 < value <= DAYS_MAX * 86_400 else None
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
