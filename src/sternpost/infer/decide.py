"""Decides what a contract says of every table and column of a database."""

from __future__ import annotations

from typing import Any

from sternpost.compile.names import SNAKE, camel, plural
from sternpost.infer.model import Inferred, InferredField, InferredList, InferredTable
from sternpost.infer.names import TAKEN, ascii_words, class_name, field_name, many_of, prefix, snake, unique
from sternpost.infer.options import apply_default, apply_rule, fits
from sternpost.infer.types import ELEMENTS, STRING_TYPE, digits_of, is_uuid, kind_of
from sternpost.kinds import EXTERNAL_TEXT_MAX, KINDS
from sternpost.plan.conditions import rules_in
from sternpost.storage.sql.tables import Found, FoundColumn, FoundForeignKey, FoundTable

TEXT_KEY_MAX = 8
"""Characters of a text that can be hidden in an id."""

_KEYS: dict[str, str] = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "uuid": "uuid",
}


def infer(found: Found) -> Inferred:
    """Decides about every table and column."""
    return _Inference(found).run()


class _Inference:
    def __init__(self, found: Found) -> None:
        self.found = found
        self.sqlite = found.dialect == "sqlite"
        self.left_out = [(name, f"it is {what}") for name, what in found.left_out]
        self.links: list[FoundTable] = []
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

    def _why_not(self, table: FoundTable) -> str | None:
        if not table.key:
            return "it has no primary key"
        if len(table.key) > 1:
            return f"its key is made of several columns: {', '.join(table.key)}"
        if not self._key_storage(table):
            column = table.key_column
            if self._text_key(column):
                return f"its key {column.name} is a text of more than {TEXT_KEY_MAX} characters, too long for an id"
            return (
                f"its key {column.name} has the type {column.type}"
                if column.type
                else "the type of its key is not declared"
            )
        return None

    def _key_storage(self, table: FoundTable) -> str:
        column = table.key_column
        if not self.sqlite:
            if column.type in _KEYS:
                return _KEYS[column.type]
        elif "INT" in column.type:
            return "integer"
        elif column.samples and all(is_uuid(value) for value in column.samples):
            return "uuid"
        return "text" if self._text_key(column) and 0 < (column.length or 0) <= TEXT_KEY_MAX else ""

    def _text_key(self, column: FoundColumn) -> bool:
        if self.sqlite:
            return bool(STRING_TYPE.search(column.type))
        return column.type in ("text", "character varying", "character")

    def _is_link(self, table: FoundTable) -> bool:
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
                self.left_out.append((table.table.shown, "all its columns are keys that are not part of the contract"))
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
                table.no_create = f"its key {column.name} is also a reference to a row of another table"
                self._omit(
                    table, column.name, f"it is the row's own key, so it cannot also be a reference to {key.table}"
                )
            elif key is not None:
                self._reference(table, column, key, declared=column.name in references)
            elif column.name in composite and not is_key:
                self._omit(table, column.name, "it is part of a foreign key with several columns")
            elif not is_key:
                self._scalar(table, column)
        for condition in table.table.checks:
            self._check(table, condition)
        for found in table.fields:
            if "default" in found.options and not fits(found):
                del found.options["default"]

    def _undeclared(self, table: InferredTable, column: FoundColumn) -> FoundForeignKey | None:
        """A number that is called like the key of another table is taken for one, so that it does not leave
        as it is."""
        parts = ascii_words(column.name)
        is_number = "INT" in column.type if self.sqlite else column.type in _KEYS
        if not is_number or len(parts) < 2 or parts[-1] != "id" or column.name == table.table.key[0]:
            return None
        for other in self.tables.values():
            if other.key_storage == "integer" and other.words == parts[:-1]:
                return FoundForeignKey((column.name,), other.table.schema, other.table.name, other.table.key)
        return None

    def _reference(self, table: InferredTable, column: FoundColumn, key: FoundForeignKey, *, declared: bool) -> None:
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
            self._omit(table, column.name, f"its type {column.type} differs from that of the key it refers to")
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
        note = (
            ""
            if declared
            else f"The database declares no foreign key: this reference is guessed from the name of {column.name}."
        )
        table.fields.append(InferredField(name, column, "id", options, target=target, note=note))

    def _can_hold(self, column: FoundColumn, key_storage: str) -> bool:
        if not self.sqlite:
            return self._text_key(column) if key_storage == "text" else _KEYS.get(column.type) == key_storage
        return ("INT" in column.type) == (key_storage == "integer")

    def _unresolved(self, table: InferredTable, column: FoundColumn, key: FoundForeignKey) -> None:
        """A reference to what is not in the contract. A number would be a key of the database; a text is just
        a text."""
        is_number = "INT" in column.type if self.sqlite else column.type in ("smallint", "integer", "bigint")
        target = self.tables.get((key.schema, key.table))
        if is_number and (target is None or key.remote == target.table.key):
            where = f"{key.schema}.{key.table}" if key.schema else key.table
            self._omit(table, column.name, f"it refers to {where}, which is not part of the contract")
        else:
            self._scalar(table, column)

    def _scalar(self, table: InferredTable, column: FoundColumn) -> None:
        kind, storage, reason = kind_of(table.table, column, sqlite=self.sqlite)
        if kind is None:
            self._omit(table, column.name, reason)
            return
        name = field_name(column.name, table.taken)
        options: dict[str, Any] = {}
        if name != column.name:
            options["column"] = column.name
        found = InferredField(name, column, kind, options, column.choices)
        if kind == "json" and storage == "array":
            found.element = ELEMENTS[str(column.element)]
        if kind == "string" and column.length is not None:
            options["max_length"] = min(column.length, EXTERNAL_TEXT_MAX)
        if kind == "decimal":
            options.update(digits_of(column, sqlite=self.sqlite))
        if storage is not None:
            options["storage"] = storage
        if (column.name,) in table.table.unique and kind not in ("json", "boolean"):
            options["unique"] = True
        if column.name in table.table.indexed and KINDS[kind].filters:
            options["filter"] = True
        if column.comment:
            options["description"] = column.comment
        apply_default(found)
        if kind == "integer" and ascii_words(column.name)[-1:] == ["id"]:
            found.note = "The database declares no foreign key for this number, so clients see it unchanged."
        table.fields.append(found)

    # -- conditions

    def _check(self, table: InferredTable, condition: str) -> None:
        by_column = {found.column.name.lower(): found for found in table.fields}
        rules = rules_in(condition, brackets_quote=self.sqlite)
        kept = rules is not None and all(
            (found := by_column.get(rule.column.lower())) is not None
            and found.target is None
            and apply_rule(found, rule)
            for rule in rules
        )
        if not kept:
            shown = " ".join(condition.split())
            table.notes.append(f"Enforced only by the database: {shown}")
            self.left_out.append((table.table.shown, f"enforced only by the database: {shown}"))

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

    def _link(self, link: FoundTable) -> None:
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
            self.left_out.append((link.shown, "it does not refer to the primary keys of the tables that it links"))
        elif {left.table.schema, right.table.schema} != {link.schema}:
            self.left_out.append((link.shown, "it is in another schema than the tables that it links"))
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
        """Why clients cannot add rows, or None."""
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
            table.no_create = (
                f"its key {table.key.name} must be chosen when a row is added, but clients cannot choose ids"
            )
        elif table.key_storage == "integer" and not (table.key.counted or table.key.default):
            table.no_create = f"the database does not generate the key: {table.key.name} has no default"

    def _omit(self, table: InferredTable, column: str, reason: str) -> None:
        table.notes.append(f"{column} is left out: {reason}.")
        self.left_out.append((f"{table.table.shown}.{column}", reason))


# -- parts


def _own_plural(words: list[str]) -> str | None:
    """The plural, where the compiler would make another one."""
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
