"""What a contract can say of a database's tables, decided; `source` writes it down."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sternpost.compile.names import SNAKE, camel, kebab
from sternpost.infer.checks import Fact, facts
from sternpost.infer.names import TAKEN, ascii_words, class_name, field_name, many_of, prefix, snake, unique
from sternpost.kinds import DIGITS_MAX, KINDS, TEXT_MAX
from sternpost.plan.model import FieldPlan, Kind
from sternpost.storage.sql.tables import Column, ForeignKey, Found, Table

TEXT_KEY_MAX = 8
"""Characters of a text that can be hidden in an id."""

_KEYS: dict[str, str] = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "uuid": "uuid",
}
_POSTGRESQL: dict[str, tuple[Kind, str | None]] = {
    "smallint": ("integer", None),
    "integer": ("integer", None),
    "bigint": ("integer", None),
    "text": ("string", None),
    "character varying": ("string", None),
    "character": ("string", "char"),
    "citext": ("string", None),
    "name": ("string", None),
    "real": ("number", None),
    "double precision": ("number", None),
    "boolean": ("boolean", None),
    "numeric": ("decimal", None),
    "timestamp with time zone": ("datetime", None),
    "timestamp without time zone": ("datetime", "timestamp"),
    "date": ("date", None),
    "uuid": ("uuid", None),
    "json": ("json", None),
    "jsonb": ("json", None),
    "enum": ("enum", None),
}
_ELEMENTS = {
    "text": "str",
    "character varying": "str",
    "smallint": "int",
    "integer": "int",
    "bigint": "int",
    "boolean": "bool",
    "real": "float",
    "double precision": "float",
}
_BOUNDS = {"smallint": 2**15, "integer": 2**31}
_STRING_TYPE = re.compile(r"CHAR|CLOB|TEXT|STRING|ENUM")


@dataclass
class InferredField:
    """A value: how it is called, its type, and the options that are not the usual ones."""

    name: str
    column: Column
    kind: Kind
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    choices: tuple[str, ...] = ()
    element: str | None = None
    target: InferredTable | None = None
    """For a reference: the other table."""
    note: str = ""

    @property
    def key_name(self) -> str:
        """The name of the field that holds the value: that of a reference ends in _id."""
        return f"{self.name}_id" if self.target is not None else self.name


@dataclass
class InferredList:
    """Rows of another table: those that refer to this one, or those linked with it."""

    name: str
    target: InferredTable
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class InferredTable:
    """A table that becomes a resource."""

    table: Table
    name: str
    words: list[str]
    prefix: str
    key_storage: str
    plural: str | None
    fields: list[InferredField] = field(default_factory=list[InferredField])
    lists: list[InferredList] = field(default_factory=list[InferredList])
    groups: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    notes: list[str] = field(default_factory=list[str])
    no_create: str = ""
    taken: set[str] = field(default_factory=lambda: {"id"})

    @property
    def path(self) -> str:
        """Its part of an address, which is the start of its scopes as well."""
        return kebab((self.plural or snake([*self.words[:-1], many_of(self.words[-1])])).replace("-", "_"))

    @property
    def key(self) -> Column:
        return self.table.key_column


@dataclass(frozen=True)
class Inferred:
    """The resources, and what a contract cannot say, each with the reason."""

    tables: list[InferredTable]
    left_out: list[tuple[str, str]]


def infer(found: Found) -> Inferred:
    """Decides about every table and column."""
    return _Inference(found).run()


class _Inference:
    def __init__(self, found: Found) -> None:
        self.found = found
        self.sqlite = found.dialect == "sqlite"
        self.left_out = [(name, f"it is {what}") for name, what in found.left_out]
        self.links: list[Table] = []
        self.tables: dict[tuple[str | None, str], InferredTable] = {}

    def run(self) -> Inferred:
        self._choose_tables()
        for table in self.tables.values():
            self._columns(table)
        self._drop_empty()
        for table in self.tables.values():
            self._lists(table)
        for link in self.links:
            self._link(link)
        for table in self.tables.values():
            self._groups(table)
            self._creation(table)
        return Inferred(list(self.tables.values()), self.left_out)

    # -- tables

    def _choose_tables(self) -> None:
        names: set[str] = set()
        prefixes: set[str] = {"req"}
        paths: set[str] = set()
        for table in self.found.tables:
            reason = self._why_not(table)
            if reason is None:
                name, words = class_name(table.name, names)
                chosen = InferredTable(
                    table, name, words, prefix(words, prefixes), self._key_storage(table), _own_plural(words)
                )
                if name.lower() != "".join(words):  # a second one of this name needs an address of its own
                    chosen.plural = f"{snake([*words[:-1], many_of(words[-1])])}_{len(paths)}"
                paths.add(chosen.path)
                self.tables[table.schema, table.name] = chosen
            elif self._is_link(table):
                self.links.append(table)
            else:
                self.left_out.append((table.shown, reason))

    def _why_not(self, table: Table) -> str | None:
        if not table.key:
            return "it has no primary key to find a row by"
        if len(table.key) > 1:
            return f"its key is made of several columns: {', '.join(table.key)}"
        if not self._key_storage(table):
            column = table.key_column
            if self._text_key(column):
                return f"its key {column.name} is a text of more than {TEXT_KEY_MAX} characters, which no id can hide"
            return f"its key {column.name} has the type {column.type}" if column.type else "its key has no type"
        return None

    def _key_storage(self, table: Table) -> str:
        column = table.key_column
        if not self.sqlite:
            if column.type in _KEYS:
                return _KEYS[column.type]
        elif "INT" in column.type:
            return "integer"
        elif column.samples and all(_is_uuid(value) for value in column.samples):
            return "uuid"
        return "text" if self._text_key(column) and 0 < (column.length or 0) <= TEXT_KEY_MAX else ""

    def _text_key(self, column: Column) -> bool:
        if self.sqlite:
            return bool(_STRING_TYPE.search(column.type))
        return column.type in ("text", "character varying", "character")

    def _is_link(self, table: Table) -> bool:
        """A table of pairs and nothing else."""
        single = [key for key in table.foreign_keys if len(key.columns) == 1]
        covered = {key.columns[0] for key in single}
        sizes = {len(table.key), len(table.columns), len(single)}
        return sizes == {2} and covered == set(table.key)

    def _drop_empty(self) -> None:
        """A resource has a field; a table of keys alone has none. What refers to it goes with it."""
        for place, table in list(self.tables.items()):
            if not table.fields:
                del self.tables[place]
                self.left_out.append((table.table.shown, "it holds nothing but keys that are not part of the contract"))
                for other in self.tables.values():
                    for found in [found for found in other.fields if found.target is table]:
                        other.fields.remove(found)
                        self._omit(other, found.column.name, f"it refers to {table.table.shown}, which is left out")
                self._drop_empty()
                return

    # -- columns

    def _columns(self, table: InferredTable) -> None:
        references = {key.columns[0]: key for key in table.table.foreign_keys if len(key.columns) == 1}
        composite = {name for key in table.table.foreign_keys if len(key.columns) > 1 for name in key.columns}
        for column in table.table.columns:
            key = references.get(column.name) or self._undeclared(table, column)
            is_key = column.name == table.table.key[0]
            if is_key and key is not None:
                table.no_create = f"the key {column.name} is that of another table's row"
                self._omit(table, column.name, f"as the row's own key it is no reference to {key.table} as well")
            elif key is not None:
                self._reference(table, column, key, declared=column.name in references)
            elif column.name in composite and not is_key:
                self._omit(table, column.name, "it is part of a reference of several columns")
            elif not is_key:
                self._scalar(table, column)
        for condition in table.table.checks:
            self._check(table, condition)
        for found in table.fields:
            if "default" in found.options and not fits(found):
                del found.options["default"]

    def _undeclared(self, table: InferredTable, column: Column) -> ForeignKey | None:
        """A number that is called like the key of another table is taken for one, so that it does not leave as it is."""
        parts = ascii_words(column.name)
        is_number = "INT" in column.type if self.sqlite else column.type in _KEYS
        if not is_number or len(parts) < 2 or parts[-1] != "id" or column.name == table.table.key[0]:
            return None
        for other in self.tables.values():
            if other.key_storage == "integer" and other.words == parts[:-1]:
                return ForeignKey((column.name,), other.table.schema, other.table.name, other.table.key)
        return None

    def _reference(self, table: InferredTable, column: Column, key: ForeignKey, *, declared: bool) -> None:
        target = self.tables.get((key.schema, key.table))
        if target is None or key.remote != target.table.key:
            self._unresolved(table, column, key)
            return
        parts = ascii_words(column.name)
        if parts[-1:] in (["id"], ["fk"]) or (len(parts) > 1 and parts[-1:] == ascii_words(key.remote[0])[-1:]):
            parts = parts[:-1]
        name = _relation_name(parts or target.words, table.taken, target.words)
        options: dict[str, Any] = {}
        if column.name != f"{name}_id":
            options["column"] = column.name
        if not self._can_hold(column, target.key_storage):
            self._omit(table, column.name, f"its type {column.type} is not that of the key it refers to")
            return
        if column.name in table.table.indexed:
            options["filter"] = True
        if (column.name,) in table.table.unique:
            options["unique"] = True
        if key.on_delete == "CASCADE":
            options["on_delete"] = "cascade"
        elif key.on_delete == "SET NULL" and column.nullable:
            options["on_delete"] = "set_null"
        if column.generated:
            options["write"] = "never"
        if column.comment:
            options["description"] = column.comment
        note = "" if declared else f"The database declares no reference: this is taken from the name of {column.name}."
        table.fields.append(InferredField(name, column, "id", options, target=target, note=note))

    def _can_hold(self, column: Column, key_storage: str) -> bool:
        if not self.sqlite:
            return self._text_key(column) if key_storage == "text" else _KEYS.get(column.type) == key_storage
        return ("INT" in column.type) == (key_storage == "integer")

    def _unresolved(self, table: InferredTable, column: Column, key: ForeignKey) -> None:
        """A reference to what is not in the contract. A number would be a key of the database; a text is just a text."""
        is_number = "INT" in column.type if self.sqlite else column.type in ("smallint", "integer", "bigint")
        target = self.tables.get((key.schema, key.table))
        if is_number and (target is None or key.remote == target.table.key):
            where = f"{key.schema}.{key.table}" if key.schema else key.table
            self._omit(table, column.name, f"it refers to {where}, which is not part of the contract")
        else:
            self._scalar(table, column)

    def _scalar(self, table: InferredTable, column: Column) -> None:
        kind, storage, reason = self._kind(table, column)
        if kind is None:
            self._omit(table, column.name, reason)
            return
        name = field_name(column.name, table.taken)
        options: dict[str, Any] = {}
        if name != column.name:
            options["column"] = column.name
        found = InferredField(name, column, kind, options, column.choices)
        if kind == "json" and storage == "array":
            found.element = _ELEMENTS[str(column.element)]
        if kind == "string" and column.length is not None:
            options["max_length"] = min(column.length, TEXT_MAX)
        if kind == "decimal":
            options.update(self._digits(column))
        if storage is not None:
            options["storage"] = storage
        if (column.name,) in table.table.unique and kind not in ("json", "boolean"):
            options["unique"] = True
        if column.name in table.table.indexed and KINDS[kind].filters:
            options["filter"] = True
        if column.comment:
            options["description"] = column.comment
        self._default(found)
        if kind == "integer" and ascii_words(column.name)[-1:] == ["id"]:
            found.note = "The database declares no reference for this number, so it leaves as it is."
        table.fields.append(found)

    def _digits(self, column: Column) -> dict[str, Any]:
        if column.scale is not None and column.precision:
            return {"decimal_places": min(column.scale, DIGITS_MAX), "max_digits": min(column.precision, self._exact)}
        places = max((_places(value) for value in column.samples), default=2)
        return {"decimal_places": min(max(places, 2), self._exact), "max_digits": self._exact}

    @property
    def _exact(self) -> int:
        """Digits that the database keeps: SQLite's numbers with a fraction are binary, exact to 15 digits."""
        return 15 if self.sqlite else DIGITS_MAX

    def _kind(self, table: InferredTable, column: Column) -> tuple[Kind | None, str | None, str]:
        if self.sqlite:
            return self._sqlite_kind(table, column)
        if column.type == "array":
            if column.element in _ELEMENTS:
                return "json", "array", ""
            return None, None, f"an array of {column.element} is not part of a contract"
        if column.type in _POSTGRESQL:
            return (*_POSTGRESQL[column.type], "")
        return None, None, f"the type {column.type} is not part of a contract"

    def _sqlite_kind(self, table: InferredTable, column: Column) -> tuple[Kind | None, str | None, str]:
        name = column.type
        if "BOOL" in name or name == "BIT":
            return "boolean", None, ""
        if name.startswith(("DATETIME", "TIMESTAMP", "DATE")):
            return self._sqlite_instant(column)
        if "INT" in name:
            return ("boolean" if self._is_flag(table, column) else "integer"), None, ""
        if _uuids(column):
            return "uuid", None, ""
        if name in ("UUID", "GUID", "UNIQUEIDENTIFIER") and not column.samples:
            return "uuid", None, ""
        if name.startswith("JSON"):
            return "json", None, ""
        if _STRING_TYPE.search(name) or name.startswith("TIME"):
            return "string", None, ""
        if any(sign in name for sign in ("REAL", "FLOA", "DOUB")):
            return "number", None, ""
        if name.startswith(("DEC", "NUMERIC", "NUMBER", "MONEY", "CURRENCY", "SMALLMONEY")):
            if not all(isinstance(value, int | float) for value in column.samples):
                return None, None, f"a column of the type {name} holds values that are no numbers"
            if column.precision is not None and column.scale == 0:
                return "integer", None, ""
            return "decimal", None, ""
        return None, None, f"the type {name} is not part of a contract" if name else "it has no type"

    def _sqlite_instant(self, column: Column) -> tuple[Kind | None, str | None, str]:
        """How instants are kept is told by those that are there. All of one form: else they would not sort."""
        forms = {_form(value) for value in column.samples}
        if forms <= {"day"} and column.type == "DATE":
            return "date", None, ""
        if forms == {"day"}:
            return "datetime", "date text", ""
        if not forms or forms <= {"blank"}:
            return "datetime", None, ""
        if forms == {"T"}:
            return "datetime", "iso text", ""
        if forms == {"seconds"}:
            return "datetime", "unix seconds", ""
        if forms == {"milliseconds"}:
            return "datetime", "unix milliseconds", ""
        return None, None, "its instants are not all kept in one form that is known"

    def _is_flag(self, table: InferredTable, column: Column) -> bool:
        wanted = {("in", ("0", "1")), ("in", ("1", "0"))}
        return any(
            (fact.what, fact.value) in wanted and fact.column.lower() == column.name.lower()
            for condition in table.table.checks
            for fact in facts(condition, brackets_quote=True) or ()
        )

    def _default(self, found: InferredField) -> None:
        column = found.column
        if column.generated:
            found.options.update(auto="database", write="never")
            return
        if column.counted:
            found.options["auto"] = "database"
            return
        text = _unwrapped(column.default)
        if text is None or text.upper() == "NULL":
            return
        literal = _literal(text)
        value = None if literal is None else _typed(found, literal)
        if value is None:
            found.options["auto"] = "database"
        else:
            found.options["default"] = value

    # -- conditions

    def _check(self, table: InferredTable, condition: str) -> None:
        by_column = {found.column.name.lower(): found for found in table.fields}
        said = facts(condition, brackets_quote=self.sqlite)
        kept = said is not None and all(
            (found := by_column.get(fact.column.lower())) is not None and found.target is None and _apply(found, fact)
            for fact in said
        )
        if not kept:
            shown = " ".join(condition.split())
            table.notes.append(f"The database alone keeps: {shown}")
            self.left_out.append((table.table.shown, f"the database alone keeps: {shown}"))

    # -- lists

    def _lists(self, table: InferredTable) -> None:
        """The other side of every reference to the table."""
        pointing = [(other, found) for other in self.tables.values() for found in other.fields if found.target is table]
        for other, found in pointing:
            several = sum(1 for another, _ in pointing if another is other) > 1
            name = snake([*other.words[:-1], many_of(other.words[-1])])
            name = f"{name}_by_{found.name}" if several else name
            options = {"by": found.name} if several else {}
            table.lists.append(InferredList(_list_name(name, table.taken), other, options))

    def _link(self, link: Table) -> None:
        first, second = (
            next(key for key in link.foreign_keys if key.columns[0] == column.name) for column in link.columns
        )
        left, right = (self.tables.get((key.schema, key.table)) for key in (first, second))
        if left is None or right is None:
            missing = first if left is None else second
            self.left_out.append((link.shown, f"it links {missing.table}, which is not part of the contract"))
        elif left is right:
            self.left_out.append((link.shown, f"it links {left.table.shown} with itself"))
        elif first.remote != left.table.key or second.remote != right.table.key:
            self.left_out.append((link.shown, "it does not refer to the keys of what it links"))
        elif {left.table.schema, right.table.schema} != {link.schema}:
            self.left_out.append((link.shown, "it is in another schema than what it links"))
        else:
            for here, there, columns in (
                (left, right, (first.columns[0], second.columns[0])),
                (right, left, (second.columns[0], first.columns[0])),
            ):
                name = snake([*there.words[:-1], many_of(there.words[-1])])
                options: dict[str, Any] = {"through": link.name, "columns": list(columns)}
                more = f"through_{snake(ascii_words(link.name)) or 'link'}"
                here.lists.append(InferredList(_list_name(name, here.taken, more), there, options))

    # -- what is left

    def _groups(self, table: InferredTable) -> None:
        names = {found.column.name: found.key_name for found in table.fields if found.kind != "json"}
        for group in table.table.unique:
            if len(group) > 1 and all(name in names for name in group):
                table.groups.append(tuple(names[name] for name in group))

    def _creation(self, table: InferredTable) -> None:
        """Why a client cannot add rows, where that is so."""
        present = {found.column.name for found in table.fields}
        needed = [
            column.name
            for column in table.table.columns
            if column.name not in present
            and column.name != table.key.name
            and not (column.nullable or column.default or column.counted or column.generated)
        ]
        if needed:
            table.no_create = f"a new row needs {', '.join(needed)}, which is not part of the contract"
        elif table.no_create:
            return
        elif table.key_storage == "text":
            table.no_create = f"whoever adds a row chooses its key {table.key.name}, and ids are opaque"
        elif table.key_storage == "integer" and not (table.key.counted or table.key.default):
            table.no_create = f"the database does not number the rows: {table.key.name} has no default"

    def _omit(self, table: InferredTable, column: str, reason: str) -> None:
        table.notes.append(f"{column} is left out: {reason}.")
        self.left_out.append((f"{table.table.shown}.{column}", reason))


# -- parts


def _own_plural(words: list[str]) -> str | None:
    """The plural, where the compiler would make another one."""
    from sternpost.compile.names import plural

    own = snake([*words[:-1], many_of(words[-1])])
    return None if own == plural(snake(words)) else own


def _relation_name(parts: list[str], taken: set[str], target: list[str]) -> str:
    name = snake(parts)
    if not SNAKE.fullmatch(name) or name in TAKEN:
        name = snake([*target, "ref"])
    found, number = name, 2
    while {found, f"{found}_id", camel(found), camel(f"{found}_id")} & taken:
        found, number = (f"{name}_ref" if number == 2 else f"{name}_ref{number}"), number + 1
    taken |= {found, f"{found}_id", camel(found), camel(f"{found}_id")}
    return found


def _list_name(name: str, taken: set[str], more: str = "list") -> str:
    return unique(f"{name}_list" if name in TAKEN else name, taken, more)


def _apply(found: InferredField, fact: Fact) -> bool:
    """Puts what a condition says into a field's options; False where they cannot say it."""
    handlers: dict[Kind, Callable[[InferredField, Fact], bool]] = {
        "string": _apply_to_text,
        "enum": _apply_to_text,
        "integer": _apply_to_whole,
        "decimal": _apply_to_decimal,
        "number": _apply_to_number,
        "boolean": lambda _, fact: fact.what == "in" and set(fact.value) == {"0", "1"},
    }
    handler = handlers.get(found.kind)
    return handler is not None and handler(found, fact)


def _apply_to_text(found: InferredField, fact: Fact) -> bool:
    if fact.what == "in":
        found.kind, found.choices = "enum", tuple(dict.fromkeys(fact.value))
        for option in ("max_length", "min_length"):
            found.options.pop(option, None)
        return True
    if fact.what == "!=" and fact.value == "":
        return _least(found, "min_length", 1)
    if fact.what.startswith("length") and fact.value.isdigit() and found.kind == "string":
        sign, value = fact.what.removeprefix("length "), int(fact.value)
        if sign in (">", ">="):
            return _least(found, "min_length", value + (sign == ">"))
        most = value - (sign == "<")
        found.options["max_length"] = min(most, found.options.get("max_length", TEXT_MAX))
        return most > 0
    return False


def _apply_to_whole(found: InferredField, fact: Fact) -> bool:
    value = _number(fact.value) if isinstance(fact.value, str) else None
    if value is None or value != int(value):
        return False
    return _bound(found, fact.what, int(value), 1)


def _apply_to_decimal(found: InferredField, fact: Fact) -> bool:
    value = _number(fact.value) if isinstance(fact.value, str) else None
    unit = Decimal(1).scaleb(-found.options["decimal_places"])
    if value is None or value != value.quantize(unit):
        return False
    return _bound(found, fact.what, value, unit)


def _apply_to_number(found: InferredField, fact: Fact) -> bool:
    value = _number(fact.value) if isinstance(fact.value, str) else None
    if value is None or fact.what not in (">=", "<="):
        return False
    return _bound(found, fact.what, float(value), 0)


def _bound(found: InferredField, what: str, value: Any, step: Any) -> bool:
    match what:
        case ">" | ">=":
            low = value + step if what == ">" else value
            found.options["ge"] = max(low, found.options.get("ge", low))
        case "<" | "<=":
            high = value - step if what == "<" else value
            found.options["le"] = min(high, found.options.get("le", high))
        case _:
            return False
    return True


def _least(found: InferredField, option: str, value: int) -> bool:
    found.options[option] = max(value, found.options.get(option, 0))
    return True


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _unwrapped(default: str | None) -> str | None:
    """A default without parentheses and casts around it."""
    text = default
    while text:
        inner = re.fullmatch(r"\((.*)\)", text.strip(), re.DOTALL) or re.fullmatch(
            r"(.*)::[\w\s.\"]+(\(\d+(,\s*\d+)?\))?(\[\])*", text.strip(), re.DOTALL
        )
        if inner is None:
            return text.strip()
        text = inner[1]
    return None


def _literal(text: str) -> str | None:
    if re.fullmatch(r"'(?:[^']|'')*'", text):
        return text[1:-1].replace("''", "'")
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text) or text.lower() in ("true", "false"):
        return text.lower()
    return None


def _typed(found: InferredField, text: str) -> Any:
    """A literal as a default of the kind, or None."""
    kind = found.kind
    if kind in ("string", "enum"):
        return text
    if found.element is not None:
        return [] if text == "{}" else None
    if kind == "json":
        return {} if text == "{}" else [] if text == "[]" else None
    if kind == "boolean":
        return {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}.get(text)
    number = _number(text)
    if number is None:
        return None
    if kind == "integer":
        return int(number) if number == int(number) else None
    return {"decimal": number, "number": float(number)}.get(kind)


def fits(found: InferredField) -> bool:
    """Whether the default keeps the field's own rules; one that does not stays with the database."""
    options = found.options
    plan = FieldPlan(
        name=found.name,
        public_name=found.name,
        kind=found.kind,
        min_length=options.get("min_length"),
        max_length=options.get("max_length"),
        minimum=_as_bound(found.kind, options.get("ge"), -(2**63)),
        maximum=_as_bound(found.kind, options.get("le"), 2**63 - 1),
        decimal_places=options.get("decimal_places"),
        max_digits=options.get("max_digits"),
        choices=found.choices,
    )
    return KINDS[found.kind].constant(options["default"], plan) is not None


def _as_bound(kind: Kind, value: Any, otherwise: int) -> Any:
    if kind == "integer":
        return otherwise if value is None else value
    return str(value) if isinstance(value, Decimal) else value


def _places(value: Any) -> int:
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _is_uuid(value: Any) -> bool:
    """A UUID as its usual text: with dashes, in lower case."""
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def _uuids(column: Column) -> bool:
    return bool(column.samples) and all(_is_uuid(value) for value in column.samples)


def _form(value: Any) -> str:
    if isinstance(value, int):
        return "milliseconds" if abs(value) > 10**11 else "seconds"
    if not isinstance(value, str):
        return "unknown"
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return "unknown"
    if instant.tzinfo is not None and instant.utcoffset():
        return "unknown"
    return "day" if len(value) == 10 else {" ": "blank", "T": "T"}.get(value[10:11], "unknown")


__all__: Sequence[str] = ("Inferred", "InferredField", "InferredList", "InferredTable", "fits", "infer")
