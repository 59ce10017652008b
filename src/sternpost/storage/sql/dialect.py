"""What differs between databases: column types, the form of values, and a few expressions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import BindParameter, Column, ColumnElement, FromClause, Table, and_, func, literal_column
from sqlalchemy.engine import Dialect as CompilerDialect
from sqlalchemy.sql.expression import cast
from sqlalchemy.types import UserDefinedType

from sternpost.plan.audit import Audit
from sternpost.plan.model import FieldPlan
from sternpost.ports.schema import NoOverlap, Search

Codec = Callable[[Any], Any] | None
"""Turns a value into another form; None where it stays as it is, so that nothing is called."""


class ColumnType(UserDefinedType[Any]):
    """A column type by its name in the database. No conversion happens in SQLAlchemy: it only writes the SQL."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


class AuditDialect(Protocol):
    """How one database keeps the audit trail."""

    @property
    def column_types(self) -> Mapping[str, str]:
        """The type of a column of the trail by the form of its values."""
        ...

    def functions(self) -> list[str]:
        """The statements that create what the triggers of all tables call."""
        ...

    def triggers(self, table: str, audit: Audit) -> list[str]:
        """The statements that create a table's triggers."""
        ...

    def drop_triggers(self, table: str, audit: Audit) -> list[str]:
        """The statements that remove them; a trigger that does not exist is no error."""
        ...

    def instant(self, instant: datetime) -> Any:
        """An instant as the trail's own are compared with it."""
        ...

    def value(self, field: FieldPlan, value: Any, prefix: str | None) -> Any:
        """A value of the trail as clients know it; raises `TypeError`, `ValueError` or `ArithmeticError`."""
        ...


class OverlapDialect(Protocol):
    """How one database keeps spans from overlapping."""

    def needs(self, overlaps: Iterable[NoOverlap]) -> list[str]:
        """The statements that have to come before everything else; they change nothing where that is there."""
        ...

    def create(self, table: str, overlap: NoOverlap) -> list[str]:
        """The statements from which on no two spans overlap."""
        ...

    def drop(self, table: str, name: str) -> list[str]:
        """The statements that let them; a rule that does not exist is no error."""
        ...


class SearchDialect(Protocol):
    """How one database keeps an index of words, and is asked for them. Fields are told by their number in it, and words
    are those that `plan.words.searched_words` gives: they have nothing in them that would have to be escaped."""

    def create(self, table: str, search: Search) -> list[str]:
        """The statements from which on there is the index, with what the rows hold already."""
        ...

    def drop(self, table: str, name: str) -> list[str]:
        """The statements that remove it; one that does not exist is no error."""
        ...

    def every(self, words: Sequence[str], numbers: Sequence[int]) -> str:
        """What is asked for rows in which each word begins a word in one of these fields."""
        ...

    def one(
        self, words: Sequence[str], place: int, numbers: Sequence[int], among: Sequence[int], *, whole: bool
    ) -> str:
        """The same for one of the words in these fields, of the rows that all words find among the others.

        Args:
            whole: whether it has to be a whole word.
        """
        ...

    def found(self, table: FromClause, name: str, asked: BindParameter[str]) -> ColumnElement[bool]:
        """The row of a table is found by what is asked of the index of this name."""
        ...


HALF = 2**32
"""How often the first part of a sum in two parts counts (`Dialect.halves_sums`)."""


class Dialect(Protocol):
    """The dialect of one database."""

    @property
    def name(self) -> str: ...
    @property
    def compiler(self) -> CompilerDialect: ...
    @property
    def table_options(self) -> dict[str, Any]: ...
    @property
    def locks_rows(self) -> bool:
        """Whether rows are locked one by one; else a transaction that writes is alone."""
        ...

    @property
    def try_lock(self) -> str | None:
        """The statement that takes the advisory lock of a number of 64 bits until the end of the transaction, and tells
        whether it has; None where a transaction that writes is alone."""
        ...

    @property
    def takes_arrays_of_rows(self) -> bool:
        """Whether one text adds any number of rows, by an array for each column."""
        ...

    @property
    def decimals_are_whole_numbers(self) -> bool:
        """Whether a decimal is kept as a whole number of its smallest unit, so that a product has to be rounded."""
        ...

    @property
    def numbers_parameters(self) -> bool:
        """Whether parameters of the author's own SQL are `$1`, else `?`; and comments may be nested."""
        ...

    @property
    def now(self) -> str:
        """The present instant as SQL, in the form of a column that holds instants."""
        ...

    @property
    def audit(self) -> AuditDialect:
        """How the audit trail is kept."""
        ...

    @property
    def outbox_types(self) -> Mapping[str, str]:
        """The type of a column of the outbox by the form of its values."""
        ...

    @property
    def overlaps(self) -> OverlapDialect:
        """How spans are kept from overlapping."""
        ...

    @property
    def search(self) -> SearchDialect:
        """How words are searched for."""
        ...

    def truth(self, column: str) -> str | None:
        """The condition of a column (a quoted name) that holds True or False; None where its type says that."""
        ...

    @property
    def external(self) -> Dialect:
        """The same for an external database, with columns of other types."""
        ...

    def column_type(self, field: FieldPlan) -> ColumnType:
        """The column type of a field."""
        ...

    def encode(self, field: FieldPlan) -> Codec:
        """From a value of the pipeline to what the driver binds."""
        ...

    def decode(self, field: FieldPlan, prefix: str | None) -> Codec:
        """From what the driver returns to what a JSON encoder writes; `prefix` for ids."""
        ...

    def to_cursor(self, field: FieldPlan) -> Codec:
        """From what the driver returns to plain JSON, without loss: part of a position in a list."""
        ...

    def from_cursor(self, field: FieldPlan) -> Codec:
        """The way back: from that JSON to what the driver binds."""
        ...

    def is_any_of(self, column: Column[Any], values: BindParameter[Any], field: FieldPlan) -> ColumnElement[bool]:
        """The column is one of the values of an array that is bound as one parameter."""
        ...

    def fits(self, field: FieldPlan, column_type: str) -> bool:
        """Whether a column of this type, of an external database, can hold the field."""
        ...

    def member(self, column: ColumnElement[Any], names: Sequence[str], field: FieldPlan) -> ColumnElement[Any]:
        """A member of an object in JSON, as it is compared; null where it is not there. What has another type than the
        declared one, which no row of Sternpost's own has, lets no statement fail.

        Args:
            names: the members that lead to it.
            field: the member.
        """
        ...

    def encode_member(self, field: FieldPlan) -> Codec:
        """From a value of the pipeline to what the driver binds to compare it with a member."""
        ...

    def compared(self, value: BindParameter[Any], field: FieldPlan) -> ColumnElement[Any]:
        """A parameter that the field's column is compared with."""
        ...

    def bind_array(self, values: list[Any]) -> Any:
        """An array as the driver binds it."""
        ...

    def raw(self, value: Any) -> Any:
        """A value for the author's own SQL as the driver binds it. Raises `TypeError` for what has no one form."""
        ...

    def contains(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        """The text holds another one; upper and lower case differ."""
        ...

    def holds(
        self, column: ColumnElement[Any], values: BindParameter[Any], field: FieldPlan, *, every: bool
    ) -> ColumnElement[bool]:
        """Whether a list holds every one, or at least one, of several values."""
        ...

    def starts_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        """The text starts with another one; upper and lower case differ."""
        ...

    def ends_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        """The text ends with another one; upper and lower case differ."""
        ...

    def lower(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The text with its ASCII letters in lower case, and no others."""
        ...

    def halves_sums(self, field: FieldPlan) -> bool:
        """Whether a sum of the field's values comes in two parts, because one alone would fail beyond 64 bits."""
        ...

    def in_range(self, value: ColumnElement[Any], field: FieldPlan) -> ColumnElement[Any]:
        """What arithmetic came to; refused by the database where the field cannot hold it."""
        ...

    def least_bytes(self, column: ColumnElement[Any], field: FieldPlan) -> ColumnElement[int]:
        """How many bytes a text, or what is sent as one, has in an answer at least."""
        ...

    def literal(self, value: Any) -> str:
        """A value that `encode` gave, as SQL."""
        ...

    def encode_average(self, field: FieldPlan) -> Codec:
        """From a number to what an average of the field's column is compared with."""
        ...

    def insert(self, table: Table) -> Any:
        """An INSERT that knows ON CONFLICT."""
        ...

    def rows_source(self, types: Sequence[str], rows: int) -> str:
        """Where an INSERT of many rows takes them from, for columns of these types."""
        ...

    def bind_rows(self, rows: list[list[Any]]) -> tuple[Any, ...]:
        """The rows as the driver binds them to that."""
        ...


def with_quotes_around(compiler: CompilerDialect, words: Collection[str]) -> CompilerDialect:
    """The same, with quotes around names that the database refuses without, and SQLAlchemy does not know of."""
    preparer = compiler.identifier_preparer
    preparer.reserved_words = {*preparer.reserved_words, *words}
    return compiler


def quoted(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def end_is(column: ColumnElement[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
    """Whether a text ends with another one, as both databases write it."""
    text = cast(value, ColumnType("TEXT"))
    start = func.length(column) - func.length(text) + literal_column("1")
    return and_(func.length(column) >= func.length(text), func.substr(column, start) == text)
