"""Reads a CHECK condition of an external database, or of a migration file, as the rules that it amounts to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from sternpost.plan.rules import ColumnRule, Length, OneOf, Range

_PARTS = r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*"|`[^`]*`%s)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<word>[^\W\d]\w*)
      | (?P<sign>::|<=|>=|<>|!=|==|=|<|>|\(|\)|\[|\]|,|\.|-|\+)
    )"""
_TOKENS = {True: re.compile(_PARTS % r"|\[[^\]]*\]", re.VERBOSE), False: re.compile(_PARTS % "", re.VERBOSE)}
_MORE_OF_A_TYPE = {"varying", "precision", "without", "with", "time", "zone"}
_LENGTHS = {"length", "char_length", "character_length"}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


@dataclass(frozen=True, slots=True)
class _Column:
    name: str


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any


@dataclass(frozen=True, slots=True)
class _Node:
    """`and`, `or`, `in`, `null`, `not null`, a comparison, or a function's name."""

    what: str
    parts: tuple[Any, ...]


class _Unknown(Exception):
    """The condition says something that is not understood here."""


def rules_in(condition: str, *, brackets_quote: bool) -> tuple[ColumnRule, ...] | None:
    """What a condition says, in its order, or None where rules cannot say all of it.

    Args:
        brackets_quote: whether `[name]` is a name, as in SQLite; in PostgreSQL brackets belong to arrays.
    """
    try:
        return tuple(_said(_parsed(condition, brackets_quote=brackets_quote)))
    except _Unknown:
        return None


def required_in(condition: str, *, brackets_quote: bool) -> frozenset[str]:
    """The columns that a condition does not allow to be null by `IS NOT NULL`, which is no rule about a value."""
    try:
        return frozenset(_required(_parsed(condition, brackets_quote=brackets_quote)))
    except _Unknown:
        return frozenset()


def _parsed(condition: str, *, brackets_quote: bool) -> Any:
    parser = _Parser(_tokens(condition, brackets_quote=brackets_quote))
    node = parser.either()
    if parser.tokens:
        raise _Unknown
    return node


def _required(node: Any) -> Iterable[str]:
    match node:
        case _Node("and", parts):
            return [name for part in parts for name in _required(part)]
        case _Node("not null", (_Column(name),)):
            return [name]
        case _:
            return []


def quoted_names(condition: str) -> frozenset[str]:
    """The names in double quotes that a condition mentions, as all columns stand in conditions of our own."""
    try:
        tokens = _tokens(condition, brackets_quote=False)
    except _Unknown:
        return frozenset()
    return frozenset(text[1:-1].replace('""', '"') for kind, text in tokens if kind == "quoted")


def _tokens(condition: str, *, brackets_quote: bool) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while condition[at:].strip():
        match = _TOKENS[brackets_quote].match(condition, at)
        if match is None:
            raise _Unknown
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind]))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent; casts are dropped on the way."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens

    def either(self) -> Any:
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _Node("or", tuple(parts))

    def _both(self) -> Any:
        parts = [self._comparison()]
        while self._takes("and"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else _Node("and", tuple(parts))

    def _comparison(self) -> Any:
        if self._takes("not"):
            return self._negated()
        left = self._value()
        if self._takes("is"):
            negated = self._takes("not")
            self._needs("null")
            return _Node("not null" if negated else "null", (left,))
        if self._takes("isnull"):
            return _Node("null", (left,))
        if self._takes("notnull"):
            return _Node("not null", (left,))
        if self._takes("not"):
            self._needs("null")
            return _Node("not null", (left,))
        if self._takes("in"):
            return _Node("in", (left, self._list("(", ")")))
        if self._takes("between"):
            low = self._value()
            self._needs("and")
            return _Node("and", (_Node(">=", (left, low)), _Node("<=", (left, self._value()))))
        for sign in ("<=", ">=", "<>", "!=", "==", "=", "<", ">"):
            if self._takes(sign):
                if sign == "=" and self._takes("any"):
                    self._needs("(")
                    values = self._value()
                    self._needs(")")
                    return _Node("in", (left, values))
                return _Node({"<>": "!=", "==": "="}.get(sign, sign), (left, self._value()))
        return left

    def _negated(self) -> Any:
        match self._comparison():
            case _Node("null", parts):
                return _Node("not null", parts)
            case _:
                raise _Unknown

    def _value(self) -> Any:
        value = self._primary()
        while self._takes("::"):
            self._type()
        return value

    def _primary(self) -> Any:
        if not self.tokens:
            raise _Unknown
        kind, text = self.tokens.pop(0)
        match kind:
            case "text":
                return _Value(text[1:-1].replace("''", "'"))
            case "number":
                return _Value(text)
            case "quoted":
                return _Column(text[1:-1].replace('""', '"'))
            case "sign" if text == "-" and self.tokens and self.tokens[0][0] == "number":
                return _Value("-" + self.tokens.pop(0)[1])
            case "sign" if text == "(":
                inner = self.either()
                self._needs(")")
                return inner
            case "word" if text.lower() == "array":
                return self._list("[", "]")
            case "word" if text.lower() == "cast":
                raise _Unknown
            case "word" if self._next("("):
                return _Node(text.lower(), self._list("(", ")"))
            case "word" if text.lower() in ("true", "false"):
                return _Value(text.lower())
            case "word":
                return _Column(text)
            case _:
                raise _Unknown

    def _list(self, opening: str, closing: str) -> tuple[Any, ...]:
        self._needs(opening)
        values: list[Any] = []
        while not self._takes(closing):
            values.append(self._value())
            if not self._takes(",") and not self._next(closing):
                raise _Unknown
        return tuple(values)

    def _type(self) -> None:
        if not self.tokens or self.tokens.pop(0)[0] not in ("word", "quoted"):
            raise _Unknown
        while self.tokens and (self.tokens[0][1].lower() in _MORE_OF_A_TYPE or self._next(".")):
            if self.tokens.pop(0)[1] == "." and self.tokens:
                self.tokens.pop(0)
        if self._next("("):
            self._list("(", ")")
        while self._takes("["):
            self._needs("]")

    def _next(self, wanted: str) -> bool:
        return bool(self.tokens) and self.tokens[0] == ("sign", wanted)

    def _takes(self, wanted: str) -> bool:
        if self.tokens and self.tokens[0][0] in ("word", "sign") and self.tokens[0][1].lower() == wanted:
            self.tokens.pop(0)
            return True
        return False

    def _needs(self, wanted: str) -> None:
        if not self._takes(wanted):
            raise _Unknown


def _said(node: Any) -> list[ColumnRule]:
    match node:
        case _Node("and", parts):
            return [rule for part in parts for rule in _said(part)]
        case _Node("or", parts):
            return _alternatives(parts)
        case _Node("not null", (_Column(),)):
            return []
        case _Node("in", (_Column(name), values)):
            return [OneOf(name, _plain(values))]
        case _Node("=", (_Column(name), _Value(value))) | _Node("=", (_Value(value), _Column(name))):
            return [OneOf(name, (value,))]
        case _Node("<" | "<=" | ">" | ">=" | "!=" as sign, (_Value(value), other)):
            return _said(_Node(_FLIPPED[sign], (other, _Value(value))))
        case _Node("!=", (_Column(name), _Value(""))):
            return [Length(name, least=1)]
        case _Node("<" | "<=" | ">" | ">=" as sign, (_Column(name), _Value(value))):
            return [_bounded(name, sign, _number(value))]
        case _Node("<" | "<=" | ">" | ">=" as sign, (_Node(function, (_Column(name),)), _Value(value))) if (
            function in _LENGTHS
        ):
            return [_long(name, sign, value)]
        case _:
            raise _Unknown


def _bounded(column: str, sign: str, value: Decimal) -> Range:
    if sign in (">", ">="):
        return Range(column, least=value, above=sign == ">")
    return Range(column, most=value, below=sign == "<")


def _long(column: str, sign: str, value: str) -> Length:
    if not value.isdigit():
        raise _Unknown
    if sign in (">", ">="):
        return Length(column, least=int(value) + (sign == ">"))
    return Length(column, most=int(value) - (sign == "<"))


def _number(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise _Unknown from None
    if not value.is_finite():
        raise _Unknown
    return value


def _alternatives(parts: Iterable[Any]) -> list[ColumnRule]:
    """`x IS NULL OR …` says the rest of what is there; several values of one column are a list."""
    nulls = {part.parts[0] for part in parts if isinstance(part, _Node) and part.what == "null"}
    rest = [_said(part) for part in parts if not (isinstance(part, _Node) and part.what == "null")]
    names = {rule.column for said in rest for rule in said}
    if len(names) != 1 or not nulls <= {_Column(name) for name in names}:
        raise _Unknown
    if len(rest) == 1:
        return rest[0]
    values: list[str] = []
    for said in rest:
        if len(said) != 1 or not isinstance(said[0], OneOf):
            raise _Unknown
        values += said[0].values
    return [OneOf(names.pop(), tuple(values))]


def _plain(values: Any) -> tuple[Any, ...]:
    if not isinstance(values, tuple):
        raise _Unknown
    listed = cast("tuple[Any, ...]", values)
    if not all(isinstance(value, _Value) for value in listed):
        raise _Unknown
    return tuple(value.value for value in listed)
