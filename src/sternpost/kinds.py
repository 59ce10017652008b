"""The kinds of values that fields have, as one table: what Python, JSON and text have for them, and how they compare.

What a database has for a kind stands in its dialect; how values of one kind become those of another, in the migrations.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Literal, LiteralString, Protocol, cast
from uuid import UUID

from sternpost import exact_json

KindName = Literal[
    "id",
    "string",
    "integer",
    "number",
    "boolean",
    "decimal",
    "datetime",
    "date",
    "time",
    "duration",
    "uuid",
    "ip",
    "bytes",
    "enum",
    "json",
]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
DIGITS_MAX = 18
"""Databases without an exact decimal type store decimals as 64-bit integers, which hold 18 full digits."""

EXTERNAL_DIGITS_MAX = 1000
"""Digits that a decimal of another program's table may have: what PostgreSQL lets a column declare. One whose places
are not declared may have as many before the point, and as many behind it."""

NUMERIC = "numeric"
"""How PostgreSQL keeps a decimal whose places are not declared: each value has as many as it was given."""

EXACT = Context(prec=4 * EXTERNAL_DIGITS_MAX + 100)
"""Rounds no sum of products of two such decimals, where Python's usual context keeps 28 digits."""

TEXT_MAX = 10_000
"""The maximum length of a string where the contract sets none, so that every input is bounded."""

ITEMS_MAX = 100
"""The most items of a list, or members of a dictionary, where the contract says nothing."""

EXTERNAL_ITEMS_MAX = 10_000
"""The same for a column of another program."""

KEY_MAX = 100
"""The longest name of a member of a dictionary, in characters."""

EXTERNAL_TEXT_MAX = 1_000_000
"""The same for a column of another program: about as much as the body of a request holds, unless more is allowed. What
was read can be written back."""

JSON_DEPTH_MAX = 64

TEXT_INSTANTS: dict[str, tuple[str, str, str]] = {
    " ".join(filter(None, (name, precision, at_the_end))): (between, precision or "auto", zone)
    for name, between in (("timestamp", " "), ("iso text", "T"))
    for at_the_end, zone in (("", ""), ("utc", "Z"), ("offset", "+00:00"))
    for precision in ("", "milliseconds", "microseconds")
}
"""How other programs keep instants as texts: what is between day and time, how exact they are (`timespec` of Python's
`isoformat`), and what is at the end. Where nothing is said of it, a fraction has six digits, or is left out if it is
zero."""

_STEPS = {
    "unix seconds": timedelta(seconds=1),
    "unix milliseconds": timedelta(milliseconds=1),
    "date text": timedelta(days=1),
    **{name: timedelta(milliseconds=1) for name, form in TEXT_INSTANTS.items() if form[1] == "milliseconds"},
}
"""How far apart values are, where they are less exact than Python's."""

_JSON_NUMBER_MAX = 10**EXTERNAL_DIGITS_MAX

NO_NUL = "^[^\\u0000]*$"
"""Every text: databases keep no U+0000."""

JsonType = Literal["object", "array"]


class Limits(Protocol):
    """What a field says about its values beside their kind."""

    @property
    def storage(self) -> str | None: ...
    @property
    def min_length(self) -> int | None: ...
    @property
    def max_length(self) -> int | None: ...
    @property
    def pattern(self) -> str | None: ...
    @property
    def format(self) -> str | None: ...
    @property
    def minimum(self) -> int | float | str | None: ...
    @property
    def maximum(self) -> int | float | str | None: ...
    @property
    def decimal_places(self) -> int | None: ...
    @property
    def max_digits(self) -> int | None: ...
    @property
    def choices(self) -> tuple[str, ...]: ...
    @property
    def json_type(self) -> JsonType | None: ...


class Unfit(ValueError):
    """A text that is no value of a kind.

    Attributes:
        code: stable, for programs, such as `date_format`.
        message: a sentence for the client.
    """

    def __init__(self, code: LiteralString, message: LiteralString) -> None:
        super().__init__(message)
        self.code: LiteralString = code
        self.message: LiteralString = message


@dataclass(frozen=True, slots=True)
class Within:
    """How values within JSON are compared, where databases know of no columns' types.

    Attributes:
        kind: as values of which kind.
        form: makes of a value what is compared instead; None for the value itself.
        ordered: whether what is compared has the order of the values.
    """

    kind: KindName
    form: Callable[[Any], Any] | None = None
    ordered: bool = True


Read = Callable[[Any], Any]
Constant = Callable[[Any, Limits | None], Any]
Write = Callable[[Limits, Any], Any]
FromText = Callable[[str], Any]
Schema = dict[str, Any]


def _same(value: Any) -> Any:
    return value


_LOWER = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def without_case(value: Any) -> Any:
    """Text, or each text of a list, with its ASCII letters in lower case, as the databases' `lower` makes it; another
    value as it is."""
    if isinstance(value, list | tuple):
        return [without_case(item) for item in cast("Sequence[Any]", value)]
    return value.translate(_LOWER) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is known about one kind.

    Attributes:
        types: the Python types that its values may have; the first is the one that they have when they are read.
        annotation: how generated Python source names that type.
        declared_as: the type, or the union of types, that alone declares a field of this kind; None where something
            else does.
        described, example: for messages to the author: "a date", and one as Python source.
        sample: a JSON-ready value, for documentation.
        number: whether there are sums and averages of it.
        exact: whether the sums of such numbers are exact.
        ordered: whether of two values one can come first.
        extremes: whether the least and the most of several values mean something.
        sortable: whether clients may sort lists by it.
        can_be_unique: whether values can be asked to differ.
        identifies: whether it can hold the id of a caller or of a tenant.
        free_text: whether a value may hold any characters.
        words: whether values are texts that can be searched for words.
        bounds: the options of `field()` that limit its values.
        least, most: the bounds that hold where a field has none.
        filters: the operators that lists may offer on it.
        tests: the operators that the data client has for it.
        policies: the operators by which a policy may compare it with a constant.
        within: how values within JSON are compared; None where they are not.
        spans: whether two of its values, or one and an open end, bound a span.
        storage: the ways in which an external database may keep it, beside the usual one.
        read: makes the Python value of a JSON-ready one, or of one that is a Python value already. Values of kinds with
            an order compare once they are read.
        constant: makes a JSON-ready value of a constant in a contract; None where it is no value of the kind, or not
            one within the limits that are given.
        write: makes a JSON-ready value of a Python value.
        compared: what a field is compared with instead of a value, with an operator; None for a value that none of
            the field's can equal. Where there is none, it is the value itself.
        from_claim: makes a value of what a token says of the caller; None where that is no value of the kind. Where
            there is none, policies do not compare the kind with what is known of the caller.
        from_text: for a field, what makes a value of the text of a query parameter, and raises `ValueError` with a
            sentence for the client; None where the validator of inputs reads texts too.
        schema: the JSON schema of the values that a field allows.
        any_schema: that of every value of the kind; None where it is the same.
    """

    name: KindName
    types: tuple[type, ...]
    annotation: str
    declared_as: Any = None
    described: str
    example: str
    sample: Any = None
    number: bool = False
    exact: bool = False
    ordered: bool = True
    extremes: bool = True
    sortable: bool = True
    can_be_unique: bool = True
    identifies: bool = False
    free_text: bool = False
    words: bool = False
    bounds: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    filters: tuple[str, ...]
    tests: tuple[str, ...]
    policies: tuple[str, ...] = ()
    within: Within | None = None
    spans: bool = False
    storage: tuple[str, ...] = ()
    read: Read = _same
    constant: Constant = lambda value, limits: None
    write: Write = lambda limits, value: value
    compared: Callable[[Limits, str, Any], Any] | None = None
    from_claim: Callable[[Any], Any] | None = None
    from_text: Callable[[Limits], FromText] | None = None
    schema: Callable[[Limits], Schema]
    any_schema: Mapping[str, Any] | None = None


# -- JSON-ready values and Python's


def _read_instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _read_day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _read_time(value: Any) -> time:
    return value if isinstance(value, time) else time.fromisoformat(value)


def _read_duration(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(value)


def _read_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _read_ip(value: Any) -> IPv4Address | IPv6Address:
    return value if isinstance(value, IPv4Address | IPv6Address) else ip_address(value)


def _read_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else base64.b64decode(value)


def write_duration(value: timedelta) -> str:
    """A duration as ISO 8601 has it, in days, hours, minutes and seconds: `P1DT2H3M4.5S`. One length of time has one
    text, and a negative one a minus sign before it."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    hours, seconds = divmod(value.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    fraction = f".{value.microseconds:06d}".rstrip("0") if value.microseconds else ""
    parts = ((value.days, "D"), (hours, "H"), (minutes, "M"))
    day, hour, minute = (f"{number}{unit}" if number else "" for number, unit in parts)
    second = f"{seconds}{fraction}S" if seconds or fraction else ""
    clock = f"{hour}{minute}{second}"
    return f"{sign}P{day}{'T' + clock if clock else ''}" if day or clock else "PT0S"


def write_bytes(value: bytes) -> str:
    """Bytes as base64 (RFC 4648, 4)."""
    return base64.b64encode(value).decode()


def _write_decimal(limits: Limits, value: Any) -> str:
    number, places = Decimal(value), limits.decimal_places
    return format(number if places is None else in_places(number, places), "f")


def in_places(number: Decimal, places: int, rounding: str | None = None) -> Decimal:
    """A finite number with as many decimal places: rounded half to even, where nothing else is said."""
    return number.quantize(Decimal((0, (1,), -places)), rounding, EXACT)


def has_places(number: Decimal, places: int | None) -> bool:
    """Whether a finite number has no more decimal places, trailing zeros aside; None allows any number of them."""
    return places is None or number == in_places(number, places)


def has_digits(limits: Limits, number: Decimal) -> bool:
    """Whether a finite number has no more digits before the point than a field allows."""
    most = (limits.max_digits or DIGITS_MAX) - (limits.decimal_places or 0)
    return number == 0 or number.adjusted() < most


_ROUNDING = {"lt": ROUND_CEILING, "gte": ROUND_CEILING, "lte": ROUND_FLOOR, "gt": ROUND_FLOOR}
"""To which side a bound with more places than its field goes, so that the same rows are found."""


def compared_decimal(limits: Limits, operator: str, number: Decimal) -> Decimal | None:
    """What a field is compared with instead of a finite number, so that the same rows are found: it has the field's
    places, and only one digit more than the field at most. None where no value of the field can be equal to it."""
    places = limits.decimal_places
    if places is None:
        return number
    most = Decimal((0, (1,), max(limits.max_digits or DIGITS_MAX, DIGITS_MAX) - places))  # larger than each value
    if not -most < number < most:
        return None if operator in _EQUAL_TESTS else most.copy_sign(number)
    rounded = in_places(number, places, _ROUNDING.get(operator))
    return None if operator in _EQUAL_TESTS and rounded != number else rounded


def compared_instant(limits: Limits, operator: str, instant: datetime) -> datetime | None:
    """What a field is compared with instead of an instant, so that the same rows are found, where the field's values
    are less exact. None where no value of the field can be equal to it."""
    step = _STEPS.get(limits.storage or "")
    over = (instant - _EPOCH) % step if step else None
    if step is None or not over:
        return instant
    if operator in _EQUAL_TESTS:
        return None
    return instant - over + (step if _ROUNDING[operator] == ROUND_CEILING else timedelta(0))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_instant(value: datetime) -> str:
    """An instant in UTC, as answers have it."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _sortable_instant(value: datetime) -> str:
    """An instant as a text that sorts: without the zone, which comes behind a fraction that may be left out."""
    return write_instant(value).removesuffix("Z")


def _iso(value: Any) -> str:
    return value.isoformat()


def _write_iso(limits: Limits, value: Any) -> str:
    return value.isoformat()


def _write_text(limits: Limits, value: Any) -> str:
    return str(value)


# -- constants of a contract

_half_characters = re.compile("[\ud800-\udfff]")


def _text_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, str):
        return None
    if limits is None:
        return value
    if "\0" in value or _half_characters.search(value):  # no database keeps either
        return None
    long_enough = (limits.min_length or 0) <= len(value) <= (limits.max_length or TEXT_MAX)
    return value if long_enough and (limits.pattern is None or re.search(limits.pattern, value)) else None


def _text_claim(value: Any) -> str | None:
    kept = isinstance(value, str) and "\0" not in value and not _half_characters.search(value)
    return value if kept else None


def _uuid_claim(value: Any) -> UUID | None:
    return UUID(value) if isinstance(value, str) and _is_uuid(value) else None


def _boolean_claim(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _integer_claim(value: Any) -> int | None:
    return _integer_constant(value, None)


def _integer_constant(value: Any, limits: Limits | None) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not INT64_MIN <= value <= INT64_MAX:
        return None
    return value if _within(value, limits, _same) else None


def _number_constant(value: Any, limits: Limits | None) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
        return None
    return float(value) if _within(value, limits, _same) else None


def _boolean_constant(value: Any, limits: Limits | None) -> bool | None:
    return value if isinstance(value, bool) else None


def _decimal_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, Decimal | int | str) or isinstance(value, bool):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not is_short(number):
        return None
    if limits is None:
        return format(number, "f")
    fits = has_digits(limits, number) and has_places(number, limits.decimal_places)
    return _write_decimal(limits, number) if fits and _within(number, limits, Decimal) else None


def is_short(number: Decimal) -> bool:
    """Whether a number is finite, and its digits can be written out."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -EXTERNAL_DIGITS_MAX and number.adjusted() < EXTERNAL_DIGITS_MAX


def _instant_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    try:
        return write_instant(value) if _within(value, limits, _read_instant) else None
    except OverflowError:  # its day in UTC is behind the last one, or before the first
        return None


def _day_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, date) or isinstance(value, datetime):
        return None
    return value.isoformat() if _within(value, limits, _read_day) else None


def _time_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, time) or value.tzinfo is not None:
        return None
    return value.isoformat() if _within(value, limits, _read_time) else None


def _duration_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, timedelta) or not is_countable(value):
        return None
    return write_duration(value) if _within(value, limits, _read_duration) else None


def _ip_constant(value: Any, limits: Limits | None) -> str | None:
    try:
        return str(parse_ip(value) if isinstance(value, str) else value) if isinstance(value, _IP) else None
    except Unfit:
        return None


def _bytes_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, bytes):
        return None
    fits = limits is None or (limits.min_length or 0) <= len(value) <= (limits.max_length or TEXT_MAX)
    return write_bytes(value) if fits else None


_IP = (str, IPv4Address, IPv6Address)


def _choice_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, str) or not (limits is None or value in limits.choices):
        return None
    return str.__str__(value)  # of a member of an enum that is no StrEnum, `str` would be its name


def _uuid_constant(value: Any, limits: Limits | None) -> str | None:
    if not isinstance(value, UUID | str):
        return None
    try:
        return str(_read_uuid(value))
    except ValueError:
        return None


def has_json_type(value: Any, limits: Limits) -> bool:
    """Whether JSON is an object, or a list, where the field takes nothing else."""
    return limits.json_type is None or isinstance(value, dict if limits.json_type == "object" else list)


def _json_constant(value: Any, limits: Limits | None) -> Any:
    if limits is not None and not has_json_type(value, limits):
        return None
    try:
        return parse_json(value) if exact_json.to_document(value) is value else None
    except (Unfit, TypeError):
        return None


def _json_schema(limits: Limits) -> Schema:
    """Any JSON value, any object, or any list."""
    return {"type": limits.json_type} if limits.json_type else {}


def _within(value: Any, limits: Limits | None, read: Read) -> bool:
    if limits is None:
        return True
    low, high = (None if bound is None else read(bound) for bound in (limits.minimum, limits.maximum))
    return (low is None or low <= value) and (high is None or value <= high)


# -- texts

_is_integer = re.compile(r"-?(0|[1-9][0-9]{0,19})").fullmatch
_is_number = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
"""The numbers of JSON (RFC 8259, 6). Python's own readers take more: spaces, underscores, digits of every script."""
_is_uuid = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_is_instant = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,18})?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
).fullmatch
_is_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII).fullmatch
_is_time = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?", re.ASCII).fullmatch
_is_duration = re.compile(
    r"(-)?P(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?:([0-9]{1,11})H)?(?:([0-9]{1,13})M)?(?:([0-9]{1,15})(?:\.([0-9]{1,6}))?S)?)?",
    re.ASCII,
).fullmatch
_DURATION_MAX = timedelta(days=100_000_000)
_is_decimal = re.compile(rf"-?[0-9]{{1,{EXTERNAL_DIGITS_MAX}}}(\.[0-9]{{1,{EXTERNAL_DIGITS_MAX}}})?").fullmatch
_BOOLEANS = {"true": True, "false": False}


def parse_instant(text: str) -> datetime:
    """An instant by RFC 3339, with a zone; in UTC from here on. Raises `Unfit`."""
    if not _is_instant(text):
        raise Unfit("datetime_format", "Input should be a date and time with a time zone, such as 2026-01-31T12:30:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unfit("datetime_range", "The date and time do not exist, or lie outside the years 1 to 9999") from None


def parse_day(text: str) -> date:
    """A day by RFC 3339. Raises `Unfit`."""
    if not _is_day(text):
        raise Unfit("date_format", "Input should be a date, such as 2026-01-31")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unfit("date_range", "The date does not exist") from None


def parse_time(text: str) -> time:
    """A time of day without a zone, such as 12:30 or 12:30:00.5. Raises `Unfit`."""
    if not _is_time(text):
        raise Unfit("time_format", "Input should be a time of day without a time zone, such as 12:30:00")
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise Unfit("time_range", "The time does not exist") from None


def parse_duration(text: str) -> timedelta:
    """A duration by ISO 8601, without years and months, whose length varies. Raises `Unfit`."""
    found = _is_duration(text)
    if found is None or text[-1] in "PT":
        raise Unfit("duration_format", "Input should be a duration without years and months, such as P1DT2H30M")
    weeks, days, hours, minutes, seconds, fraction = (int(part) if part else 0 for part in found.groups(default="")[1:])
    microseconds = fraction * 10 ** (6 - len(found[7])) if found[7] else 0
    try:
        value = timedelta(days + 7 * weeks, seconds, microseconds, 0, minutes, hours)
    except OverflowError:
        value = timedelta.max
    if not is_countable(value):
        raise Unfit("duration_range", "The duration is longer than 100,000,000 days")
    return -value if found[1] else value


def is_countable(value: timedelta) -> bool:
    """Whether a duration is one that databases keep: its microseconds are a 64-bit number."""
    return abs(value) <= _DURATION_MAX if value != timedelta.min else False


def parse_ip(text: str) -> IPv4Address | IPv6Address:
    """An IPv4 or IPv6 address, without a network or a zone. Raises `Unfit`."""
    try:
        found = ip_address(text)
    except ValueError:
        found = None
    if found is None or (isinstance(found, IPv6Address) and found.scope_id is not None):
        raise Unfit("ip_format", "Input should be an IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1")
    return found


def parse_bytes(text: str) -> bytes:
    """Bytes as base64 with its padding (RFC 4648, 4). Raises `Unfit`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unfit("base64_format", "Input should be base64 with padding, such as aGVsbG8=") from None


def parse_text(text: str) -> str:
    """A text that databases keep. Raises `Unfit`."""
    if "\x00" in text:
        raise Unfit("nul_character", "A text may not contain the character U+0000")
    return text


def parse_json(value: Any) -> Any:
    """JSON as Python has it, of which databases and encoders keep every value exactly. Raises `Unfit`."""
    _check_json(value, 0)
    return value


def _check_json(value: Any, depth: int) -> None:
    if depth > JSON_DEPTH_MAX:
        raise Unfit("json_too_deep", "The value is nested too deeply")
    if isinstance(value, str):
        _check_json_text(value)
    elif isinstance(value, dict):
        for key, item in cast("dict[Any, Any]", value).items():
            if not isinstance(key, str):
                raise Unfit("json_type", "The name of a member is not a text")
            _check_json_text(key)
            _check_json(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in cast("list[Any]", value):
            _check_json(item, depth + 1)
    elif isinstance(value, int):
        _check_json_number(-_JSON_NUMBER_MAX < value < _JSON_NUMBER_MAX)
    elif isinstance(value, float):
        _check_json_number(math.isfinite(value))
    elif isinstance(value, Decimal):  # a short exponent may stand for many digits, which a database writes out
        _check_json_number(is_short(value))
    elif value is not None:
        raise Unfit("json_type", "The value has a type that JSON does not know")


def _check_json_number(fits: bool) -> None:
    if not fits:
        raise Unfit("number_range", "A number is not finite, or has more than 1000 digits before or behind the point")


def _check_json_text(text: str) -> None:
    parse_text(text)
    if not text.isascii() and _half_characters.search(text):
        raise Unfit("lone_surrogate", "A text may not contain half of a surrogate pair")


def parse_uuid(text: str) -> UUID:
    """A UUID in the text form of RFC 9562, 4; Python's own reader takes several others. Raises `Unfit`."""
    if not _is_uuid(text):
        raise Unfit("uuid_format", "Input should be a UUID, such as 0198c1d0-7e3a-7cc1-9b2f-4f0e5a6b7c8d")
    return UUID(text)


def _most_digits(limits: Limits) -> tuple[int, int]:
    """How many digits a decimal may have before and behind its point. There is one before it at least, a zero."""
    most = limits.max_digits or DIGITS_MAX
    places = limits.decimal_places
    return max(most - (places or 0), 1), most if places is None else places


def decimal_limits(limits: Limits) -> tuple[str, str]:
    """What a client is told of the digits of a decimal, and an example."""
    whole, places = _most_digits(limits)
    return (
        f"at most {whole} digits before the point and {places} decimal places",
        format(Decimal((0, (1,), -min(places, 2))), "f"),
    )


def decimal_pattern(limits: Limits) -> str:
    """The text of a decimal: digits before the point as the field allows, and its places."""
    whole, places = _most_digits(limits)
    fraction = f"(\\.[0-9]{{1,{places}}})?" if places else ""
    return f"^-?[0-9]{{1,{whole}}}{fraction}$"


def _integer_from_text(limits: Limits) -> FromText:
    def parse(text: str) -> int:
        if not _is_integer(text):
            raise ValueError("Input should be a whole number")
        value = int(text)
        if not INT64_MIN <= value <= INT64_MAX:
            raise ValueError("Input should be a 64-bit integer")
        return value

    return parse


def _number_from_text(limits: Limits) -> FromText:
    def parse(text: str) -> float:
        if not _is_number(text):
            raise ValueError("Input should be a number")
        value = float(text)
        if not math.isfinite(value):
            raise ValueError("Input should be a finite number")
        return value

    return parse


def _boolean_from_text(limits: Limits) -> FromText:
    def parse(text: str) -> bool:
        if text not in _BOOLEANS:
            raise ValueError("Input should be true or false")
        return _BOOLEANS[text]

    return parse


def _decimal_from_text(limits: Limits) -> FromText:
    return parse_decimal


def parse_decimal(text: str) -> Decimal:
    """A decimal number without an exponent. Raises `ValueError`."""
    if not _is_decimal(text):
        raise ValueError("Input should be a decimal number, such as 12.50")
    return Decimal(text)


# -- JSON schema (draft 2020-12)


def _given(**values: Any) -> Schema:
    return {name: value for name, value in values.items() if value is not None}


def _string_schema(limits: Limits) -> Schema:
    lengths = _given(minLength=limits.min_length, maxLength=limits.max_length, format=limits.format)
    return {"type": "string", "pattern": limits.pattern or NO_NUL, **lengths}


def _integer_schema(limits: Limits) -> Schema:
    return {"type": "integer", "format": "int64", **_given(minimum=limits.minimum, maximum=limits.maximum)}


def _time_schema(limits: Limits) -> Schema:
    pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?$"
    return {"type": "string", "format": "time-local", "pattern": pattern}


def _bytes_schema(limits: Limits) -> Schema:
    """Every three bytes are four characters."""
    least, most = (None if length is None else -(-length // 3) * 4 for length in (limits.min_length, limits.max_length))
    return {"type": "string", "contentEncoding": "base64", **_given(minLength=least, maxLength=most)}


def _number_schema(limits: Limits) -> Schema:
    return {"type": "number", **_given(minimum=limits.minimum, maximum=limits.maximum)}


def _decimal_schema(limits: Limits) -> Schema:
    pattern, positive = decimal_pattern(limits), limits.minimum is not None and Decimal(limits.minimum) >= 0
    return {
        "type": "string",
        "pattern": pattern.replace("-?", "", 1) if positive else pattern,
        "description": "A decimal number, written as a string",
    }


# -- the table

INSENSITIVE: Mapping[str, str] = {"iEq": "eq", "iContains": "contains", "iStartsWith": "startsWith"}
"""Operators of lists that ignore the case of ASCII letters, and those that they are otherwise."""

LIST_FILTERS = ("has", "hasAny", "hasAll")
"""Operators on lists of single values: one of the values is in the list, or all of them are."""

SEVERAL: frozenset[str] = frozenset({"in", "notIn", "hasAny", "hasAll"})
"""Operators that take several values."""

_EQUAL = ("eq", "ne", "in")
_COMPARED = ("eq", "ne", "gt", "gte", "lt", "lte", "in")
_EQUALITY = ("eq", "ne")
_ORDER = ("eq", "ne", "gt", "gte", "lt", "lte")
_EQUAL_TESTS = ("eq", "ne", "in", "notIn", "isNull")
_COMPARED_TESTS = ("eq", "ne", "in", "notIn", "gt", "gte", "lt", "lte", "isNull")

_ALL = (
    Kind(
        name="id",
        types=(str,),
        annotation="str",
        described="an id",
        example="caller",
        extremes=False,
        sortable=False,
        identifies=True,
        filters=_EQUAL,
        tests=_EQUAL_TESTS,
        storage=("integer", "uuid", "text"),
        from_claim=_text_claim,
        schema=lambda limits: {"type": "string"},
    ),
    Kind(
        name="uuid",
        types=(UUID,),
        annotation="UUID",
        declared_as=UUID,
        described="a UUID",
        example='UUID("…")',
        sample="0198c1d0-7e3a-7cc1-9b2f-4f0e5a6b7c8d",
        extremes=False,
        identifies=True,
        filters=_EQUAL,
        tests=_EQUAL_TESTS,
        read=_read_uuid,
        write=_write_text,
        constant=_uuid_constant,
        from_claim=_uuid_claim,
        from_text=lambda limits: parse_uuid,
        within=Within("string", str),
        schema=lambda limits: {"type": "string", "format": "uuid"},
    ),
    Kind(
        name="boolean",
        types=(bool,),
        annotation="bool",
        declared_as=bool,
        described="True or False",
        example="True",
        sample=True,
        extremes=False,
        can_be_unique=False,
        filters=("eq", "ne"),
        tests=("eq", "ne", "isNull"),
        policies=_EQUALITY,
        constant=_boolean_constant,
        from_claim=_boolean_claim,
        from_text=_boolean_from_text,
        within=Within("boolean"),
        schema=lambda limits: {"type": "boolean"},
    ),
    Kind(
        name="string",
        types=(str,),
        annotation="str",
        declared_as=str,
        described="a string",
        example='"…"',
        sample="text",
        identifies=True,
        free_text=True,
        words=True,
        bounds=("min_length", "max_length", "pattern"),
        filters=("eq", "ne", "in", "contains", "startsWith", *INSENSITIVE),
        tests=(*_COMPARED_TESTS, "contains", "startsWith", "endsWith", "mode"),
        policies=_EQUALITY,
        storage=("char",),
        constant=_text_constant,
        from_claim=_text_claim,
        from_text=lambda limits: parse_text,
        within=Within("string"),
        schema=_string_schema,
        any_schema={"type": "string", "pattern": NO_NUL},
    ),
    Kind(
        name="integer",
        types=(int,),
        annotation="int",
        declared_as=int,
        described="a 64-bit whole number",
        example="1",
        sample=1,
        number=True,
        exact=True,
        bounds=("ge", "le"),
        least=INT64_MIN,
        most=INT64_MAX,
        filters=_COMPARED,
        tests=_COMPARED_TESTS,
        policies=_ORDER,
        spans=True,
        constant=_integer_constant,
        from_claim=_integer_claim,
        from_text=_integer_from_text,
        within=Within("integer"),
        schema=_integer_schema,
        any_schema={"type": "integer", "format": "int64", "minimum": INT64_MIN, "maximum": INT64_MAX},
    ),
    Kind(
        name="number",
        types=(float, int),
        annotation="float",
        declared_as=float,
        described="a finite number",
        example="1.5",
        sample=1.5,
        number=True,
        bounds=("ge", "le"),
        filters=_COMPARED,
        tests=_COMPARED_TESTS,
        policies=_ORDER,
        constant=_number_constant,
        from_text=_number_from_text,
        within=Within("number"),
        schema=_number_schema,
        any_schema={"type": "number"},
    ),
    Kind(
        name="decimal",
        types=(Decimal, int),
        annotation="Decimal",
        declared_as=Decimal,
        described="a decimal number",
        example='Decimal("1.50")',
        sample="1",
        number=True,
        exact=True,
        bounds=("ge", "le", "decimal_places", "max_digits"),
        filters=_COMPARED,
        tests=_COMPARED_TESTS,
        policies=_ORDER,
        spans=True,
        storage=(NUMERIC,),
        read=Decimal,
        write=_write_decimal,
        constant=_decimal_constant,
        compared=compared_decimal,
        from_text=_decimal_from_text,
        within=Within("decimal"),
        schema=_decimal_schema,
    ),
    Kind(
        name="datetime",
        types=(datetime,),
        annotation="datetime",
        declared_as=datetime,
        described="a datetime with a time zone",
        example="datetime(2026, 1, 31, tzinfo=UTC)",
        sample="2026-01-31T12:30:00Z",
        bounds=("ge", "le"),
        filters=_COMPARED,
        tests=_COMPARED_TESTS,
        policies=_ORDER,
        spans=True,
        storage=(*TEXT_INSTANTS, "date text", "unix seconds", "unix milliseconds"),
        read=_read_instant,
        write=lambda limits, value: write_instant(value),
        compared=compared_instant,
        constant=_instant_constant,
        from_text=lambda limits: parse_instant,
        within=Within("string", _sortable_instant),
        schema=lambda limits: {"type": "string", "format": "date-time"},
    ),
    Kind(
        name="date",
        types=(date,),
        annotation="date",
        declared_as=date,
        described="a date",
        example="date(2026, 1, 31)",
        sample="2026-01-31",
        bounds=("ge", "le"),
        filters=_COMPARED,
        tests=_COMPARED_TESTS,
        policies=_ORDER,
        spans=True,
        read=_read_day,
        write=_write_iso,
        constant=_day_constant,
        from_text=lambda limits: parse_day,
        within=Within("string", _iso),
        schema=lambda limits: {"type": "string", "format": "date"},
    ),
    Kind(
        name="time",
        types=(time,),
        annotation="time",
        declared_as=time,
        described="a time of day without a time zone",
        example="time(12, 30)",
        sample="12:30:00",
        bounds=("ge", "le"),
        filters=_COMPARED,
        tests=_COMPARED_TESTS,
        policies=_ORDER,
        read=_read_time,
        write=_write_iso,
        constant=_time_constant,
        from_text=lambda limits: parse_time,
        within=Within("string", _iso),
        schema=_time_schema,
    ),
    Kind(
        name="duration",
        types=(timedelta,),
        annotation="timedelta",
        declared_as=timedelta,
        described="a length of time",
        example="timedelta(hours=1)",
        sample="PT1H30M",
        bounds=("ge", "le"),
        filters=_COMPARED,
        tests=_COMPARED_TESTS,
        policies=_ORDER,
        read=_read_duration,
        write=lambda limits, value: write_duration(value),
        constant=_duration_constant,
        from_text=lambda limits: parse_duration,
        within=Within("string", write_duration, ordered=False),
        schema=lambda limits: {"type": "string", "format": "duration"},
    ),
    Kind(
        name="ip",
        types=(IPv4Address, IPv6Address),
        annotation="IPv4Address | IPv6Address",
        declared_as=IPv4Address | IPv6Address,
        described="an IP address",
        example='ip_address("192.0.2.1")',
        sample="192.0.2.1",
        extremes=False,
        sortable=False,
        filters=_EQUAL,
        tests=_EQUAL_TESTS,
        policies=_EQUALITY,
        read=_read_ip,
        write=_write_text,
        constant=_ip_constant,
        from_text=lambda limits: parse_ip,
        within=Within("string", str),
        schema=lambda limits: {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    ),
    Kind(
        name="bytes",
        types=(bytes,),
        annotation="bytes",
        declared_as=bytes,
        described="bytes",
        example='b"…"',
        sample="aGVsbG8=",
        ordered=False,
        extremes=False,
        sortable=False,
        can_be_unique=False,
        free_text=True,
        bounds=("min_length", "max_length"),
        filters=(),
        tests=("isNull",),
        read=_read_bytes,
        write=lambda limits, value: write_bytes(value),
        constant=_bytes_constant,
        from_text=lambda limits: parse_bytes,
        schema=_bytes_schema,
    ),
    Kind(
        name="enum",
        types=(str,),
        annotation="str",
        described="one of its values",
        example='"…"',
        filters=_EQUAL,
        tests=_EQUAL_TESTS,
        policies=_EQUALITY,
        storage=("char",),
        write=_write_text,
        constant=_choice_constant,
        from_claim=_text_claim,
        within=Within("string", str),
        schema=lambda limits: {"type": "string", "enum": list(limits.choices)},
    ),
    Kind(
        name="json",
        types=(object,),
        annotation="Any",
        described="JSON data",
        example="{}",
        ordered=False,
        extremes=False,
        sortable=False,
        can_be_unique=False,
        free_text=True,
        filters=(),
        tests=("isNull",),
        storage=("array",),
        read=exact_json.to_author,
        write=lambda limits, value: exact_json.to_document(value),
        constant=_json_constant,
        schema=_json_schema,
    ),
)
"""In the order in which generated source declares what belongs to them."""

KINDS: Mapping[KindName, Kind] = {kind.name: kind for kind in _ALL}
RANKED = replace(KINDS["enum"], filters=_COMPARED, tests=_COMPARED_TESTS, policies=_ORDER)
"""What is known of an enum whose values have an order."""

ANYTHING: KindName = "json"
"""The kind of values of which no part may be declared."""


class Ranked(Protocol):
    """What tells whether a field's values have an order of their own."""

    @property
    def kind(self) -> KindName: ...
    @property
    def ranks(self) -> tuple[str, ...]: ...


def kind_of(field: Ranked) -> Kind:
    """The kind of a field: which operators there are depends on whether the values of an enum have an order."""
    return RANKED if field.ranks else KINDS[field.kind]


def kind_within(field: Ranked) -> Kind:
    """The same for a value within JSON, of which fewer operators may be known."""
    kind = kind_of(field)
    if kind.within is None:
        return replace(kind, filters=(), tests=())
    return kind if kind.within.ordered else replace(kind, filters=_EQUAL, tests=_EQUAL_TESTS)


NUMBERS: frozenset[KindName] = frozenset(kind.name for kind in _ALL if kind.number)
WRITERS: Mapping[KindName, Write] = {
    kind.name: kind.write for kind in _ALL if kind.read is not _same and kind.name != ANYTHING
}
"""What makes a JSON-ready value of a Python value, of the same kinds; JSON itself is one."""
READERS: Mapping[KindName, Read] = {kind.name: kind.read for kind in _ALL if kind.read is not _same}
"""What makes the Python value of a JSON-ready one, of the kinds where the two differ."""
