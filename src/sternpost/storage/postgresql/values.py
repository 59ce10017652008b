"""Values whose form the driver would change: instants and days at both ends of Python's calendar, which it takes for
infinities, what lies beyond them, numbers of single precision, and texts of a fixed length."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

_FIRST_DAY = date(2000, 1, 1).toordinal()
_FIRST = datetime(2000, 1, 1)  # as `timestamp` has it, without a zone
_FIRST_UTC = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts days and microseconds from here on."""

_MICROSECOND = timedelta(microseconds=1)


class Beyond:
    """A day or an instant that Python has no value for: an infinity, a year before 1 or after 9999."""


_BEYOND = Beyond()


async def keep_values(connection: Any) -> None:
    """Has a connection give and take values as they are. Asks the server nothing: it is about types of its own."""
    for name, encode, decode in (
        ("date", _from_day, _to_day),
        ("timestamp", *_instants(_FIRST)),
        ("timestamptz", *_instants(_FIRST_UTC)),
    ):
        await connection.set_type_codec(name, schema="pg_catalog", format="tuple", encoder=encode, decoder=decode)
    # As text, a number of single precision has the fewest digits that tell it from its neighbours: 0.1, and not
    # 0.10000000149011612, which is the same number in double precision.
    await connection.set_type_codec("float4", schema="pg_catalog", format="text", encoder=repr, decoder=float)
    # `char(n)` is filled up with blanks, which are no part of the value: comparisons do not see them.
    await connection.set_type_codec("bpchar", schema="pg_catalog", format="text", encoder=str, decoder=_unpadded)


def _unpadded(text: str) -> str:
    return text.rstrip(" ")


def present(value: Any) -> Any:
    """The same value. Raises `ValueError` for one that Python has no value for."""
    if value is _BEYOND:
        raise ValueError
    return value


def _from_day(day: date) -> tuple[int]:
    return (day.toordinal() - _FIRST_DAY,)


def _to_day(wire: tuple[int]) -> date | Beyond:
    try:
        return date.fromordinal(wire[0] + _FIRST_DAY)
    except (ValueError, OverflowError):
        return _BEYOND


def _instants(first: datetime) -> tuple[Callable[[datetime], tuple[int]], Callable[[tuple[int]], datetime | Beyond]]:
    """How instants become the microseconds since this one, and the way back."""

    def encode(instant: datetime) -> tuple[int]:
        return ((instant - first) // _MICROSECOND,)

    def decode(wire: tuple[int]) -> datetime | Beyond:
        try:
            return first + _MICROSECOND * wire[0]  # a new `timedelta` of so many takes longer
        except OverflowError:
            return _BEYOND

    return encode, decode
