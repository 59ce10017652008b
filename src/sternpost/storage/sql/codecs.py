"""How values of fields become what a driver binds, and what it gives becomes documents and positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sternpost.errors import ValueNotRepresentable
from sternpost.kinds import KINDS, NUMERIC, WRITERS
from sternpost.plan.members import compared_within, form_within
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.plan.query import Fact, Nested, Path, Through
from sternpost.plan.structures import items_of, reader
from sternpost.ports.budget import VALUE_BYTES
from sternpost.ports.storage import Document
from sternpost.storage.sql.dialect import Codec, Dialect
from sternpost.storage.sql.external import checked, not_representable
from sternpost.storage.sql.keys import Keys


@dataclass(frozen=True, slots=True)
class Decoder:
    """Makes a document of a row: JSON names, and for each value its conversion (or None)."""

    names: tuple[str, ...]
    codecs: tuple[Codec, ...]
    facts: tuple[Fact, ...]
    fact_codecs: tuple[Codec, ...]
    row_bytes_max: float = math.inf
    """Bytes that a document may have as JSON, without what its relations hold."""
    table: str = ""
    names_bytes: int = 0
    """Bytes of the names of its members, relations among them, with the characters around them."""
    _coded: tuple[tuple[str, Callable[[Any], Any]], ...] = field(init=False)

    def __post_init__(self) -> None:
        coded = ((name, codec) for name, codec in zip(self.names, self.codecs, strict=True) if codec is not None)
        object.__setattr__(self, "_coded", tuple(coded))

    def document(self, row: Any) -> Document:
        # zip stops at the shortest: the columns behind the query's own are facts and keys
        document: Document = dict(zip(self.names, row, strict=False))
        try:
            for name, codec in self._coded:
                value = document[name]
                if value is not None:
                    document[name] = codec(value)
        except ValueNotRepresentable as error:
            raise self._placed(error, row) from error
        return document

    def documents(self, rows: Sequence[Any]) -> list[Document]:
        """The same for many rows: member by member, which costs a third less than row by row."""
        names = self.names
        documents: list[Document] = [dict(zip(names, row)) for row in rows]  # noqa: B905  (as above)
        try:
            for name, codec in self._coded:
                for document in documents:
                    value = document[name]
                    if value is not None:
                        document[name] = codec(value)
        except ValueNotRepresentable:
            for row in rows:
                self.document(row)  # the first that fails says which row it is
            raise
        return documents

    def _placed(self, error: ValueNotRepresentable, row: Any) -> ValueNotRepresentable:
        """The same error with the row's id for the client, and its key for the log."""
        if "id" not in self.names:
            return error
        at = self.names.index("id")
        key, codec = row[at], self.codecs[at]
        log = {**error.log, "table": self.table, "key": str(key)}
        path = error.details[0].path
        return not_representable(path, log, None if path == "id" else key if codec is None else codec(key))

    def facts_of(self, row: Any) -> dict[Fact, Any]:
        if not self.facts:
            return {}
        start = len(self.names)
        return {
            path: value if codec is None or value is None else codec(value)
            for path, codec, value in zip(self.facts, self.fact_codecs, row[start:], strict=False)
        }


class Codecs:
    """The codecs of a plan's fields on one database. Keys of external databases are hidden here, and nowhere else."""

    def __init__(self, plan: Plan, dialect: Dialect, key_secret: bytes | None) -> None:
        self.plan = plan
        self.dialect = dialect
        self._hidden = Keys(plan, key_secret).by_resource
        self._encoders: dict[int, tuple[Codec, Codec, FieldPlan]] = {}
        self._within: dict[int, tuple[FieldPlan, FieldPlan]] = {}
        self.nowhere = {
            resource.name: {
                field.name: self._hidden[field.references].nowhere
                for field in resource.fields
                if field.references in self._hidden
            }
            for resource in plan.resources
        }
        """By resource and reference: what an id that was not made here is read as. It refers to nothing."""
        self._of_row = {
            resource.name: {
                field.name: encode for field in resource.fields if (encode := self.encode(field)) is not None
            }
            for resource in plan.resources
        }
        """By resource and field: the encoders of a row's values, looked up for each value that is written."""

    def encode(self, field: FieldPlan) -> Codec:
        """From a value of the pipeline to what the driver binds."""
        return self._both(field)[0]

    def encode_array(self, field: FieldPlan) -> Codec:
        """From a list of values of the pipeline to an array as the driver binds it."""
        return self._both(field)[1]

    def encode_items(self, field: FieldPlan) -> Codec:
        """From values of the items of a list to what the driver binds to compare with the list."""
        items = items_of(field)
        assert items is not None, "the field holds a list of single values"
        if field.storage is not None:
            return self._array(self.dialect.encode(items))
        write = WRITERS.get(items.kind)
        return lambda values: orjson.dumps(
            values if write is None else [write(items, each) for each in values]
        ).decode()

    def within(self, field: FieldPlan) -> FieldPlan:
        """A member of an object as what it is compared as; its values are encoded so."""
        found = self._within.get(id(field))
        if found is None:
            found = compared_within(field), field  # which is kept, so that its id stays its own
            self._within[id(field)] = found
            encode = _joined(form_within(field), self.dialect.encode_member(found[0]))
            self._encoders[id(found[0])] = (encode, self._array(encode), found[0])
        return found[0]

    def encode_member(self, resource: ResourcePlan, name: str) -> Codec:
        """The same for a member of a row; a column of ours, such as an item's position, is bound as it is."""
        return self._of_row[resource.name].get(name)

    def encoded(self, resource: ResourcePlan, name: str, value: Any) -> Any:
        """One value of a row as the driver binds it."""
        encode = self.encode_member(resource, name)
        return value if encode is None or value is None else encode(value)

    def decode(self, field: FieldPlan) -> Codec:
        """From what the driver gives to what a JSON encoder writes."""
        prefix = self.plan.by_name[field.references].prefix if field.references else None
        hidden = self._hidden.get(field.references or "")
        if hidden is None:
            decode = self.dialect.decode(field, prefix)
            # an array has elements of its column's type, some of which may be null, whatever is declared
            return decode if field.structure is None or field.storage is not None else _structured(field, decode)
        start, digits = f"{prefix}_", hidden.digits

        def show(key: Any) -> str:
            try:
                return start + digits(key)
            except ValueError as error:
                log = {"reason": str(error), "column": field.column_name}
                raise not_representable(field.public_name, log) from error

        return show

    def decode_at(self, resource: ResourcePlan, path: Path) -> Codec:
        """The same for the value at the end of a path."""
        return self.decode(self.plan.field_at(resource, path))

    def decode_fact(self, resource: ResourcePlan, fact: Fact) -> Codec:
        """The same for what a policy has to know of a row; whether some row of a list fits, SQLite tells by numbers."""
        return bool if isinstance(fact, Through) else self.decode_at(resource, fact)

    def to_cursor(self, field: FieldPlan) -> Codec:
        """From what the driver gives to plain JSON, without loss: a part of a position in a list."""
        hidden = self._hidden.get(field.references or "")
        return self.dialect.to_cursor(field) if hidden is None else hidden.digits

    def from_cursor(self, field: FieldPlan) -> Codec:
        """The way back: from that JSON to what the driver binds."""
        hidden = self._hidden.get(field.references or "")
        return self.dialect.from_cursor(field) if hidden is None else hidden.key

    def decoder(
        self,
        resource: ResourcePlan,
        fields: Sequence[str],
        facts: Sequence[Fact] = (),
        relations: Sequence[Nested] = (),
    ) -> Decoder:
        """How rows with these columns become documents, to which relations may be added."""
        names_bytes = sum(
            _around(resource.relations_by_name[nested.relation].public_name) + len("null,") for nested in relations
        )
        plans = [resource.shown_by_name[name] for name in fields]
        return Decoder(
            names=tuple(plan.public_name for plan in plans),
            codecs=tuple(self.decode(plan) for plan in plans),
            facts=tuple(facts),
            fact_codecs=tuple(self.decode_fact(resource, fact) for fact in facts),
            table=resource.table,
            row_bytes_max=names_bytes + sum(map(self._bytes_max, plans)),
            names_bytes=names_bytes + sum(_around(plan.public_name) for plan in plans),
        )

    def _bytes_max(self, field: FieldPlan) -> float:
        """Bytes that a value with its name may have as JSON, where a character may take six (`\\u0001`)."""
        unbounded = field.max_length is None or self.plan.external  # nothing holds other programs to the contract
        if (KINDS[field.kind].free_text and unbounded) or field.storage == NUMERIC:
            return math.inf
        prefix = len(self.plan.by_name[field.references].prefix) if field.references else 0
        characters = max(field.max_length or 0, field.max_digits or 0, *map(len, field.choices), 0)
        return _around(field.public_name) + len(",") + VALUE_BYTES + prefix + 6 * characters

    def _both(self, field: FieldPlan) -> tuple[Codec, Codec, FieldPlan]:
        found = self._encoders.get(id(field))  # which is kept with them, so that its id stays its own
        if found is None:
            hidden = self._hidden.get(field.references or "")
            encode = self.dialect.encode(field) if hidden is None else hidden.key
            found = self._encoders[id(field)] = (encode, self._array(encode), field)
        return found

    def _array(self, encode: Codec) -> Codec:
        array = self.dialect.bind_array
        if encode is None:
            return array
        return lambda values: array([None if value is None else encode(value) for value in values])


def _joined(first: Codec, second: Codec) -> Codec:
    """One codec behind the other."""
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


def _structured(field: FieldPlan, decode: Codec) -> Codec:
    """From what the driver gives to what is declared, and nothing else."""
    assert decode is not None, "JSON is read from text"
    read = reader(field)
    return checked(field, lambda value: read(decode(value)))


def _around(name: str) -> int:
    """Bytes of a member's name with what is around it: `"name":`."""
    return len(orjson.dumps(name)) + 1
