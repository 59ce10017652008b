"""Decides what a contract says of every table and column of a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sternpost.compile.options import is_database_name
from sternpost.infer.choose import BAD_NAME, can_hold, is_link, is_number, named, why_not
from sternpost.infer.lists import add_link, add_lists, in_order
from sternpost.infer.model import Inferred, InferredField, InferredTable, Refused
from sternpost.infer.names import ascii_words, field_name, relation_name
from sternpost.infer.options import apply_default, apply_rule, default_of, leave_unfit_default
from sternpost.infer.secret_names import is_secret, names_a_secret
from sternpost.infer.types import ELEMENTS, digits_of, kind_of
from sternpost.kinds import EXTERNAL_TEXT_MAX, KINDS
from sternpost.plan.conditions import required_in, rules_in
from sternpost.storage.sql.tables import Found, FoundColumn, FoundForeignKey, FoundTable, Place, shown

SHOWN_MAX = 300
"""Characters of a condition of the database that the report repeats."""


def infer(found: Found, refused: Refused | None = None) -> Inferred:
    """Decides about every table and column.

    Args:
        refused: what the compiler did not take of an earlier decision.
    """
    return _Inference(found, refused or {}).run()


class _Inference:
    def __init__(self, found: Found, refused: Refused) -> None:
        self.sqlite = found.dialect == "sqlite"
        self.refused = refused
        self.left_out = list(found.left_out)
        self.found: dict[Place, FoundTable] = {(each.schema, each.name): self._required(each) for each in found.tables}
        self.links: list[FoundTable] = []
        self.tables: dict[Place, InferredTable] = {}

    def run(self) -> Inferred:
        self._choose_tables()
        for table in self.tables.values():
            self._columns(table)
            self._refuse_members(table)
        self._drop_empty()
        for table in self.tables.values():
            add_lists(table, self.tables)
        for link in in_order(self.links):
            reason = add_link(link, self.tables)
            if reason is not None:
                self.left_out.append((link.shown, reason))
        for table in self.tables.values():
            self._refuse_lists(table)
            self._groups(table)
            self._creation(table)
        return Inferred(list(self.tables.values()), self.left_out)

    def _required(self, table: FoundTable) -> FoundTable:
        """The table with what its conditions say about null as a property of its columns."""
        required = {
            self._spelled(name)
            for condition in table.checks
            for name in required_in(condition, brackets_quote=self.sqlite)
        }
        columns = [
            replace(column, nullable=column.nullable and self._spelled(column.name) not in required)
            for column in table.columns
        ]
        return replace(table, columns=tuple(columns))

    def _spelled(self, name: str) -> str:
        """A column's name as it compares: in SQLite upper and lower case are the same."""
        return name.lower() if self.sqlite else name

    # -- tables

    def _choose_tables(self) -> None:
        chosen: list[FoundTable] = []
        for table in self.found.values():
            reason = why_not(table, sqlite=self.sqlite)
            if reason is None:
                chosen.append(table)
            elif is_link(table):
                self.links.append(table)
            else:
                self.left_out.append((table.shown, reason))
        for table in named(chosen, sqlite=self.sqlite):
            reason = self.refused.get((table.name, "", ""))
            if reason is None:
                self.tables[table.place] = table
            else:
                self.left_out.append((table.table.shown, reason))

    def _drop_empty(self) -> None:
        """A resource has a field; a table of keys alone has none. What refers to it goes with it."""
        for place, table in list(self.tables.items()):
            if not table.fields:
                del self.tables[place]
                self.left_out.append((table.table.shown, _why_empty(table.table)))
                for other in self.tables.values():
                    for found in [found for found in other.fields if found.target is table]:
                        other.fields.remove(found)
                        self._omit(other, found.column.name, f"it refers to {table.table.shown}, which is left out")
                self._drop_empty()
                return

    # -- columns

    def _columns(self, table: InferredTable) -> None:
        for column in table.table.columns:
            if column.name == table.key.name:
                self._key(table, column)
            elif column.unreadable:
                self._omit(table, column.name, column.unreadable)
            elif not is_database_name(column.name):
                self._omit(table, column.name, f"its name {BAD_NAME}")
            else:
                self._column(table, column)
        for key in table.table.foreign_keys:
            if len(key.columns) > 1:
                self._lose(table, key)
        for condition in table.table.checks:
            self._check(table, condition)
        for rule in table.table.enforced:
            self._leave_to_database(table, rule)
        for found in table.fields:
            leave_unfit_default(found)
            if found.target is None and _is_secret(table, found):
                self._protect(table, found)

    def _key(self, table: InferredTable, column: FoundColumn) -> None:
        for key in _references(table.table, column):
            table.no_create = f"its key {column.name} is also a reference to a row of another table"
            self._omit(table, column.name, f"it is the row's own key, so it cannot also be a reference to {key.table}")

    def _column(self, table: InferredTable, column: FoundColumn) -> None:
        """A reference where it can be one; else a value, unless that would show a key that ids hide."""
        declared = _references(table.table, column)
        guessed = None if declared else self._undeclared(table.table, column)
        keys = declared if guessed is None else [guessed]
        key = next((key for key in keys if self._target(key) is not None), None)
        if key is not None:
            self._reference(table, column, key, declared=guessed is None)
        elif self._shows_key(table.place, column.name, set()):
            self._omit(table, column.name, "it holds a key of a row, which clients do not see")
        elif is_number(column, sqlite=self.sqlite) and (lost := self._foreign(declared)) is not None:
            self._omit(table, column.name, f"it refers to {lost}, which is not part of the contract")
        else:
            self._scalar(table, column)
        if key is not None or column.name in {found.column.name for found in table.fields}:
            for lost in [each for each in declared if key is None or replace(each, on_delete=key.on_delete) != key]:
                self._lose(table, lost)

    def _target(self, key: FoundForeignKey) -> InferredTable | None:
        """The resource whose key a reference holds."""
        target = self.tables.get((key.schema, key.table))
        return target if target is not None and key.remote == target.table.key else None

    def _foreign(self, keys: Iterable[FoundForeignKey]) -> str | None:
        """A table that is no resource, and to which one of the references leads."""
        names = [shown(key.schema, key.table) for key in keys if (key.schema, key.table) not in self.tables]
        return names[0] if names else None

    def _lose(self, table: InferredTable, key: FoundForeignKey) -> None:
        """Tells of a reference that is left out, whose columns stay as plain values."""
        remote = f"{shown(key.schema, key.table)} ({', '.join(key.remote)})"
        if len(key.columns) > 1:
            reason = "it has several columns"
        elif (key.schema, key.table) not in self.tables:
            reason = "that table is not part of the contract"
        elif key.remote != self.tables[key.schema, key.table].table.key:
            reason = "that is not its primary key"
        else:
            reason = "the column refers to another table already"
        columns = ", ".join(key.columns)
        what = f"{table.table.shown} ({columns})" if len(key.columns) > 1 else f"{table.table.shown}.{columns}"
        self.left_out.append((what, f"the reference to {remote} is left out, because {reason}"))

    def _shows_key(self, place: Place, column: str, seen: set[tuple[Place, str]]) -> bool:
        """Whether the values of a column are keys of a resource, or refer to such, over however many tables."""
        if (place, column) in seen or place not in self.found:
            return False
        seen.add((place, column))
        table, resource = self.found[place], self.tables.get(place)
        if resource is not None and resource.key.name == column:
            return resource.key_storage != "uuid"
        guessed = self._undeclared(table, next(each for each in table.columns if each.name == column))
        keys = [*table.foreign_keys, *([] if guessed is None else [guessed])]
        return any(
            self._shows_key((key.schema, key.table), remote, seen)
            for key in keys
            for local, remote in zip(key.columns, key.remote, strict=False)
            if local == column
        )

    def _undeclared(self, table: FoundTable, column: FoundColumn) -> FoundForeignKey | None:
        """A number that is called like the key of another table is taken for one, so that it does not leave
        as it is."""
        parts = ascii_words(column.name)
        if not is_number(column, sqlite=self.sqlite) or len(parts) < 2 or parts[-1] != "id":
            return None
        if table.key == (column.name,):
            return None
        for other in self.tables.values():
            if other.key_storage == "integer" and other.words == parts[:-1]:
                return FoundForeignKey((column.name,), other.table.schema, other.table.name, other.table.key)
        return None

    def _reference(self, table: InferredTable, column: FoundColumn, key: FoundForeignKey, *, declared: bool) -> None:
        target = self.tables[key.schema, key.table]
        parts = ascii_words(column.name)
        if parts[-1:] in (["id"], ["fk"]) or (len(parts) > 1 and parts[-1:] == ascii_words(key.remote[0])[-1:]):
            parts = parts[:-1]
        name = relation_name(parts or target.words, table.taken, target.words)
        options: dict[str, Any] = {}
        if column.name != f"{name}_id":
            options["column"] = column.name
        if not can_hold(column, target.key_storage, sqlite=self.sqlite):
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
        if column.generated or column.counted or default_of(column) is not None:
            options["auto"] = "database"
        if column.comment:
            options["description"] = column.comment
        note = (
            ""
            if declared
            else f"The database declares no foreign key: this reference is guessed from the name of {column.name}."
        )
        table.fields.append(InferredField(name, column, "id", options, target=target, note=note))

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
        self._tell_narrower(table, found)
        apply_default(found)
        if kind == "integer" and ascii_words(column.name)[-1:] == ["id"]:
            found.note = "The database declares no foreign key for this number, so clients see it unchanged."
        table.fields.append(found)

    def _tell_narrower(self, table: InferredTable, found: InferredField) -> None:
        column, name = found.column, f"{table.table.shown}.{found.column.name}"
        digits, characters = found.options.get("max_digits"), found.options.get("max_length")
        if digits is not None and column.precision is not None and digits < column.precision:
            reason = (
                f"only {digits} of its {column.precision} digits are exact in this database, and no more can be written"
            )
            self.left_out.append((name, reason))
        if characters is not None and column.length is not None and characters < column.length:
            self.left_out.append((name, f"at most {characters} of its {column.length} characters can be written"))

    def _protect(self, table: InferredTable, found: InferredField) -> None:
        """A secret is for a scope of its own, and cannot be found by comparing. Its default is in no documentation."""
        found.options.pop("filter", None)
        if found.options.pop("default", None) is not None:
            found.options["auto"] = "database"
        found.options.update(sensitive=True, read=f"{table.path}:secrets")
        reason = (
            f"it holds a secret, as its name or type tells: only with the scope {table.path}:secrets is it seen or set"
        )
        self.left_out.append((f"{table.table.shown}.{found.column.name}", f"{reason}, and no list is filtered by it"))

    # -- conditions

    def _check(self, table: InferredTable, condition: str) -> None:
        by_column = {self._spelled(found.column.name): found for found in table.fields}
        rules = rules_in(condition, brackets_quote=self.sqlite)
        kept = rules is not None and all(
            (found := by_column.get(self._spelled(rule.column))) is not None
            and found.target is None
            and apply_rule(found, rule)
            for rule in rules
        )
        if not kept:
            self._leave_to_database(table, condition)

    def _leave_to_database(self, table: InferredTable, rule: str) -> None:
        shown_rule = " ".join(rule.split())
        if len(shown_rule) > SHOWN_MAX:
            shown_rule = f"{shown_rule[:SHOWN_MAX]} …"
        table.notes.append(f"Enforced only by the database: {shown_rule}")
        self.left_out.append((table.table.shown, f"enforced only by the database: {shown_rule}"))

    # -- what is left

    def _groups(self, table: InferredTable) -> None:
        reason = self.refused.get((table.name, "", "unique"))
        names = {found.column.name: found.key_name for found in table.fields if found.kind != "json"}
        served = {found.column.name for found in table.fields}
        alone = {found.column.name for found in table.fields if "unique" in found.options}
        alone |= {column.name for column in table.table.columns if column.name not in served}
        for group in table.table.unique:
            if len(group) > 1 and reason is None and all(name in names for name in group):
                table.groups.append(tuple(names[name] for name in group))
            elif len(group) > 1 or not alone.issuperset(group):
                self._leave_to_database(table, f"UNIQUE ({', '.join(group)})")

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
        elif table.table.takes_no_row:
            table.no_create = f"the database takes no new row: {table.table.takes_no_row}"
        elif table.key_storage == "text" and not table.key.default:
            table.no_create = (
                f"its key {table.key.name} must be chosen when a row is added, but clients cannot choose ids"
            )
        elif table.key_storage == "integer" and not (table.key.counted or table.key.default):
            table.no_create = f"the database does not generate the key: {table.key.name} has no default"

    def _refuse_members(self, table: InferredTable) -> None:
        """Does without the fields, and the options of fields, that the compiler did not take."""
        for found in list(table.fields):
            reason = self.refused.get((table.name, found.name, ""))
            if reason is not None:
                table.fields.remove(found)
                self._omit(table, found.column.name, reason)
                continue
            for option in [option for option in found.options if (table.name, found.name, option) in self.refused]:
                del found.options[option]
                if option == "default":
                    found.options["auto"] = "database"
                reason = self.refused[table.name, found.name, option]
                self.left_out.append((f"{table.table.shown}.{found.column.name}", f"{option} is left out: {reason}"))

    def _refuse_lists(self, table: InferredTable) -> None:
        for found in list(table.lists):
            reason = self.refused.get((table.name, found.name, ""))
            if reason is not None:
                table.lists.remove(found)
                self.left_out.append((table.table.shown, f"the list {found.name} is left out: {reason}"))

    def _omit(self, table: InferredTable, column: str, reason: str) -> None:
        table.notes.append(f"{column} is left out: {reason}.")
        self.left_out.append((f"{table.table.shown}.{column}", reason))


def _is_secret(table: InferredTable, found: InferredField) -> bool:
    """Whether a value is a secret, or the same as one to which it refers."""
    return is_secret(table.words, found.column, found.kind) or any(
        local == found.column.name and names_a_secret(remote)
        for key in table.table.foreign_keys
        for local, remote in zip(key.columns, key.remote, strict=False)
    )


def _references(table: FoundTable, column: FoundColumn) -> list[FoundForeignKey]:
    """Foreign keys of this column alone."""
    return [key for key in table.foreign_keys if key.columns == (column.name,)]


def _why_empty(table: FoundTable) -> str:
    keys = {*table.key, *(name for key in table.foreign_keys for name in key.columns)}
    if len(table.columns) == 1:
        return "it has no column beside its key"
    if keys.issuperset(column.name for column in table.columns):
        return "all its columns are keys that are not part of the contract"
    return "none of its columns beside the key can be part of a contract"
