"""Plans the steps from one schema to another. What cannot be derived, such as renames, is asked, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from sternpost.migrations.conversions import conversion
from sternpost.migrations.renames import with_renamed_column, with_renamed_columns, with_renamed_tables
from sternpost.plan.names import database_name
from sternpost.plan.rules import OneOf, allow_all_of
from sternpost.ports.schema import (
    DATABASE_NAMES,
    Check,
    Column,
    DatabaseName,
    ForeignKey,
    Index,
    Rule,
    Shape,
    Sql,
    TableShape,
    Unique,
)
from sternpost.ports.steps import (
    AddAudit,
    AddColumn,
    AddIndex,
    AddOverlap,
    AddRule,
    AddSearch,
    ChangeCheck,
    ChangeForm,
    ChangeType,
    CreateTable,
    DropAudit,
    DropColumn,
    DropIndex,
    DropOverlap,
    DropRule,
    DropSearch,
    DropTable,
    NeedExtension,
    Nullable,
    RenameColumn,
    RenameIndex,
    RenameRule,
    RenameTable,
    Step,
    Update,
)

Named = TypeVar("Named", Rule, Index)

KEYS_EXTENSION = "btree_gist"
"""What PostgreSQL needs to compare keys and spans with one index."""


@dataclass(frozen=True)
class Answers:
    """Answers that only the author can give.

    Attributes:
        renames: `users`, `users.name`, or `users.state.open` for a value of an enumeration, to the new name. On both
            sides a column is named by its table's new name, and a value by the new names of both.
        dropped: names that are gone, although something new looks like them.
        fills: by `table.column`, SQL for rows that are older than the column, where the contract has no default.
        conversions: by `table.column`, SQL for the value in its new type.
    """

    renames: Mapping[str, str] = field(default_factory=dict[str, str])
    dropped: frozenset[str] = frozenset()
    fills: Mapping[str, str] = field(default_factory=dict[str, str])
    conversions: Mapping[str, str] = field(default_factory=dict[str, str])

    def reversed(self) -> Answers:
        """The same for the way back."""
        tables = {new: old for old, new in self.renames.items() if "." not in old}
        columns = {new: old for old, new in self.renames.items() if old.count(".") == 1}

        def before(name: str) -> str:
            """A column by the name that its table has, and its own, before the migration."""
            table, _, column = columns.get(name, name).partition(".")
            return f"{tables.get(table, table)}.{column}"

        renames = dict(tables)
        for old, new in self.renames.items():
            if old.count(".") == 1:
                renames[before(old).rpartition(".")[0] + "." + new.partition(".")[2]] = before(new)
            elif "." in old:
                place = before(_place(old))
                renames[f"{place}.{_value_in(new)}"] = f"{place}.{_value_in(old)}"
        return replace(self, renames=renames, conversions={})


@dataclass(frozen=True)
class Question:
    """Something to be answered before a migration can be planned."""

    about: str
    kind: str
    text: str
    candidates: tuple[str, ...] = ()


def rename_questions(old: Shape, new: Shape, answers: Answers) -> list[Question]:
    """For everything that is gone while something new could be the same under another name."""
    gone = [
        name
        for name in old
        if name not in new and name not in answers.renames and name not in answers.dropped and not _is_ours(name)
    ]
    came = [name for name in new if name not in old and name not in answers.renames.values() and not _is_ours(name)]
    if gone and came:
        return [_rename_question("table", name, came) for name in gone]
    questions: list[Question] = []
    for table, before, after in _matched(_renamed_tables(old, answers), new):
        renames = _column_renames(table, answers)
        names = {column.name for column in before.columns}
        names_after = {column.name for column in after.columns}
        gone = [
            f"{table}.{column.name}"
            for column in before.columns
            if column.name not in names_after | set(renames) and f"{table}.{column.name}" not in answers.dropped
        ]
        came = [
            f"{table}.{column.name}" for column in after.columns if column.name not in names | set(renames.values())
        ]
        questions += [_rename_question("column", name, came) for name in gone if came]
    return questions or _value_questions(_renamed(old, answers), new, answers)


def _value_questions(now: Shape, new: Shape, answers: Answers) -> list[Question]:
    """The same for the values of enumerations."""
    questions: list[Question] = []
    for table, before, after in _matched(now, new):
        values = _enumerations(after)
        for column, had in _enumerations(before).items():
            has = values.get(column, had)
            place = f"{table}.{column}"
            names = [f"{place}.{value}" for value in had if value not in has]
            gone = [name for name in names if name not in answers.renames and name not in answers.dropped]
            came = [f"{place}.{value}" for value in has if value not in had]
            came = [name for name in came if name not in answers.renames.values()]
            questions += [_rename_question("value", name, came) for name in gone if came]
    return questions


def unknown_answers(old: Shape, new: Shape, answers: Answers) -> list[str]:
    """Reports answers about things that do not exist, usually typing mistakes."""
    problems: list[str] = []
    had = {*old, *_columns(_renamed_tables(old, answers)), *_values(_renamed(old, answers))}
    has = {*new, *_columns(new), *_values(new)}
    moved = {name for name in {*answers.renames} & {*answers.renames.values()} if "." in name}
    """What takes the name of something that gets another one in turn: two columns that swap their names."""
    for before, after in answers.renames.items():
        if before not in had or before in has - moved:
            problems.append(f"--rename {before}:{after}: {before} is still in the contract")
        if after not in has or after in had - moved:
            problems.append(f"--rename {before}:{after}: {after} is not new")
    problems += [
        f"--drop {name}: {name} is still in the contract" for name in sorted(answers.dropped) if name not in had - has
    ]
    for option, names in (("fill", answers.fills), ("using", answers.conversions)):
        problems += [f"--{option} {name}: there is no such column" for name in names if name not in had | has]
    return problems


def plan_steps(old: Shape, new: Shape, answers: Answers) -> tuple[list[Step], list[Question]]:
    """The steps from one to the other, and what has to be answered first."""
    return _Planner(old, new, answers).run()


class _Planner:
    def __init__(self, old: Shape, new: Shape, answers: Answers) -> None:
        self.old, self.new, self.answers = old, new, answers
        self.steps: list[Step] = []
        self.questions: list[Question] = []

    def run(self) -> tuple[list[Step], list[Question]]:
        renamed = {old: new for old, new in self.answers.renames.items() if "." not in old and old in self.old}
        self._drop_audits(renamed)
        kept_apart = self._drop_overlaps(renamed)
        still_searched = self._drop_searches(renamed)
        self.steps += [RenameTable(old, new) for old, new in renamed.items()]
        now = _renamed_tables(self.old, self.answers)
        for name in list(now):
            now = self._rename_columns(now, name)
        pairs = list(_matched(now, self.new))
        for _, before, after in pairs:
            self._drop_rules(before, after)
        self._create_tables(now)
        for _, before, after in pairs:
            self._change(before, after)
        for _, before, after in pairs:
            self._add_rules(before, after)
        for _, before, after in pairs:
            kept = {column.name for column in after.columns}
            self.steps += [DropColumn(after.name, column.name) for column in before.columns if column.name not in kept]
        self._drop_tables(now)
        for name, table in self.new.items():
            before = now[name].audit if name in now and name not in renamed.values() else ()
            self.steps += [AddAudit(name, audit) for audit in table.audit if audit not in before]
        self._add_overlaps(kept_apart)
        self.steps += [
            AddSearch(name, table.search)
            for name, table in self.new.items()
            if table.search is not None and table.search.name not in still_searched
        ]
        return self.steps, self.questions

    def _create_tables(self, now: Shape) -> None:
        """The new tables; references that close a ring are added when all of them exist."""
        there = set(now)
        closing: list[Step] = []
        for name, table in self.new.items():
            if name in now:
                continue
            there.add(name)
            later = [rule for rule in table.rules if isinstance(rule, ForeignKey) and rule.table not in there]
            rules = tuple(rule for rule in table.rules if rule not in later)
            self.steps.append(CreateTable(replace(table, rules=rules, audit=(), overlaps=(), search=None)))
            closing += [AddRule(name, rule) for rule in later]
        self.steps += closing

    def _drop_tables(self, now: Shape) -> None:
        """The tables that are gone: first those that nothing refers to, and before one of a ring what refers to it."""
        left = {name: table for name, table in now.items() if name not in self.new}
        while left:
            referred = {
                rule.table
                for name, table in left.items()
                for rule in table.rules
                if isinstance(rule, ForeignKey) and rule.table != name
            }
            name = next((name for name in reversed(left) if name not in referred), next(reversed(left)))
            del left[name]
            self.steps += [
                DropRule(table.name, rule.name)
                for table in left.values()
                for rule in table.rules
                if isinstance(rule, ForeignKey) and rule.table == name
            ]
            self.steps.append(DropTable(name))

    def _rename_columns(self, now: Shape, name: str) -> Shape:
        if name not in self.new:
            return now
        had = {column.name for column in now[name].columns}
        renames = {old: new for old, new in _column_renames(name, self.answers).items() if old in had}
        while renames:
            before = next((old for old, new in renames.items() if new not in had), None)
            if before is None:  # in a ring, such as two that swap their names, one gets out of the way
                before = next(iter(renames))
                after = database_name(before, "moved")
                renames[after] = renames.pop(before)
            else:
                after = renames.pop(before)
            had = (had - {before}) | {after}
            self.steps.append(RenameColumn(name, before, after))
            now = with_renamed_column(now, name, before, after)
        return now

    def _drop_audits(self, renamed: Mapping[str, str]) -> None:
        """Changes of what the audit trail records. PostgreSQL replaces a trigger in one step, and misses no change."""
        for name, table in self.old.items():
            after = self.new.get(renamed.get(name, name))
            if after is None:
                continue  # its triggers go with the table
            kept = {audit.key for audit in after.audit}
            for audit in table.audit:
                if audit not in after.audit or name in renamed:
                    only: DatabaseName | None = "sqlite" if audit.key in kept else None
                    self.steps.append(DropAudit(name, audit, only))

    def _drop_overlaps(self, renamed: Mapping[str, str]) -> set[str]:
        """Takes away what is gone, has other columns, or would stand in the way of another type; the names of those
        that stay."""
        kept: set[str] = set()
        for name, table in self.old.items():
            after = self.new.get(renamed.get(name, name))
            if after is None:
                continue  # they go with the table
            retyped = self._retyped(table, after)
            for overlap in table.overlaps:
                if overlap in after.overlaps and name not in renamed and not overlap.columns & retyped:
                    kept.add(overlap.name)
                else:
                    self.steps.append(DropOverlap(name, overlap.name))
        return kept

    def _drop_searches(self, renamed: Mapping[str, str]) -> set[str]:
        """Takes away indexes of words that are gone, have other columns, or would stand in the way of another type;
        the names of those that stay."""
        kept: set[str] = set()
        for name, table in self.old.items():
            if table.search is None:
                continue
            after = self.new.get(renamed.get(name, name))
            retyped = self._retyped(table, after) if after is not None else set[str]()
            same = after is not None and after.search == table.search and name not in renamed
            if same and retyped.isdisjoint(table.search.columns):
                kept.add(table.search.name)
            else:  # on SQLite they are tables of their own, which do not go with theirs
                self.steps.append(DropSearch(name, table.search.name))
        return kept

    def _add_overlaps(self, kept: set[str]) -> None:
        """Adds what is new, at the end: a check of each span stands before it."""
        added = [
            AddOverlap(name, each)
            for name, table in self.new.items()
            for each in table.overlaps
            if each.name not in kept
        ]
        if any(step.overlap.keys for step in added):
            self.steps.insert(0, NeedExtension(KEYS_EXTENSION))
        self.steps += added

    # -- rules and indexes

    def _drop_rules(self, before: TableShape, after: TableShape) -> None:
        """What is gone, or would stand in the way of another type; then what has only another name."""
        name = after.name
        if before.primary_key.columns != after.primary_key.columns:
            text = f"{name}: changes of a primary key cannot be planned; write the migration by hand"
            self.questions.append(Question(name, "primary key", text))
        elif before.primary_key.name != after.primary_key.name:
            self.steps.append(RenameRule(name, before.primary_key.name, after.primary_key.name))
        rules, indexes = _compare(before.rules, after.rules), _compare(before.indexes, after.indexes)
        retyped = self._retyped(before, after)
        dropped = {rule.name for rule in rules.gone}
        dropped |= {rule.name for rule in before.rules if isinstance(rule, Check) and _mentions(rule, retyped)}
        dropped |= {change.name for change, _ in rules.changed if not isinstance(change, Check)}
        self.steps += [AddIndex(name, index) for index in indexes.came if _can_be_first(index, before, after)]
        self.steps += [DropRule(name, rule.name) for rule in before.rules if rule.name in dropped]
        kept = _kept_meanwhile(indexes, after)
        gone = [*indexes.gone, *(index for index, _ in indexes.changed)]
        self.steps += [
            RenameIndex(name, index, kept[index.name]) if index.name in kept else DropIndex(index.name)
            for index in gone
        ]
        self.steps += [
            RenameRule(name, rule.name, to.name, _only(rule)) for rule, to in rules.renamed if rule.name not in dropped
        ]
        self.steps += [RenameIndex(name, index, to.name) for index, to in indexes.renamed]

    def _add_rules(self, before: TableShape, after: TableShape) -> None:
        name = after.name
        rules, indexes = _compare(before.rules, after.rules), _compare(before.indexes, after.indexes)
        retyped = self._retyped(before, after)
        added = {rule.name for rule in rules.came}
        added |= {to.name for rule, to in rules.renamed if isinstance(rule, Check) and _mentions(rule, retyped)}
        added |= {
            rule.name
            for rule in after.rules
            if isinstance(rule, Check)
            and any(
                isinstance(old, Check) and old.name == rule.name and _mentions(old, retyped) for old in before.rules
            )
        }
        updates = self._updates_of_values(before, after)
        for old, changed in rules.changed:
            if changed.name in added or not (isinstance(old, Check) and isinstance(changed, Check)):
                added.add(changed.name)
            elif changed.columns.isdisjoint(updates):
                step = ChangeCheck(name, changed.name, changed.condition, wider=_is_wider(old, changed))
                self.steps.append(step)
            else:
                self.steps.append(DropRule(name, old.name))
                added.add(changed.name)
        self.steps += [update for found in updates.values() for update in found]
        self.steps += [AddRule(name, rule) for rule in after.rules if rule.name in added]
        later = [index for index in indexes.came if not _can_be_first(index, before, after)]
        self.steps += [AddIndex(name, index) for index in later]
        self.steps += [AddIndex(name, to) for _, to in indexes.changed]
        self.steps += [DropIndex(temporary) for temporary in _kept_meanwhile(indexes, after).values()]

    def _updates_of_values(self, before: TableShape, after: TableShape) -> dict[str, list[Update]]:
        """By column of an enumeration: what becomes of values that have another name, or are gone."""
        found: dict[str, list[Update]] = {}
        values = _enumerations(after)
        for column, had in _enumerations(before).items():
            if column not in values:
                continue
            renames = _value_renames(f"{after.name}.{column}", self.answers)
            lost = [value for value in had if value not in values[column] and value not in renames]
            steps = [*self._renamed_values(after, column, renames), *self._lost_values(after, column, lost)]
            if steps:
                found[column] = steps
        return found

    def _renamed_values(self, table: TableShape, column: str, renames: Mapping[str, str]) -> list[Update]:
        if not renames:
            return []
        cases = " ".join(f"WHEN {_literal(old)} THEN {_literal(new)}" for old, new in renames.items())
        value, where = f'CASE "{column}" {cases} END', f'"{column}" IN ({", ".join(map(_literal, renames))})'
        return [Update(table.name, {column: Sql(value, value)}, Sql(where, where), key=_key(table))]

    def _lost_values(self, table: TableShape, column: str, lost: list[str]) -> list[Update]:
        if not lost:
            return []
        fill = self._fill(table, table.column(column))
        listed = ", ".join(map(_literal, lost))
        if fill is None:
            place = f"{table.name}.{column}"
            text = f"{place} no longer allows {listed}: rows with these need --fill {place}=SQL"
            self.questions.append(Question(place, "fill", text))
            return []
        destroys = f"the values {listed} of {table.name}.{column}"
        where = Sql(f'"{column}" IN ({listed})', f'"{column}" IN ({listed})')
        return [Update(table.name, {column: fill}, where, key=_key(table), destroys=destroys)]

    # -- columns

    def _retyped(self, before: TableShape, after: TableShape) -> set[str]:
        columns = {column.name: column for column in before.columns}
        return {
            column.name
            for column in after.columns
            if column.name in columns and columns[column.name].type != column.type
        }

    def _change(self, before: TableShape, after: TableShape) -> None:
        columns = {column.name: column for column in before.columns}
        for column in after.columns:
            old = columns.get(column.name)
            if old is None:
                self._add_column(after, column)
                continue
            if column.nullable and not old.nullable:  # first, as a conversion may have no value for some
                self.steps.append(Nullable(after.name, column.name, nullable=True))
            if old.type != column.type:
                self._change_type(after, old, column)
            if old.nullable and not column.nullable:
                self._forbid_null(after, column)

    def _add_column(self, table: TableShape, column: Column) -> None:
        self.steps.append(AddColumn(table.name, replace(column, nullable=True)))
        if not column.nullable:
            self._forbid_null(table, column)

    def _forbid_null(self, table: TableShape, column: Column) -> None:
        fill = self._fill(table, column)
        if fill is None:
            text = (
                f"{table.name}.{column.name} must have a value, but has no default: existing rows need "
                f"--fill {table.name}.{column.name}=SQL"
            )
            self.questions.append(Question(f"{table.name}.{column.name}", "fill", text))
            return
        empty = f'"{column.name}" IS NULL'
        self.steps.append(Update(table.name, {column.name: fill}, Sql(empty, empty), key=_key(table)))
        self.steps.append(Nullable(table.name, column.name, nullable=False, fill=fill))

    def _fill(self, table: TableShape, column: Column) -> Sql | None:
        given = self.answers.fills.get(f"{table.name}.{column.name}")
        if given is not None:
            return Sql(given, given)
        rules = [rule.columns for rule in table.rules if isinstance(rule, Unique)]
        rules += [tuple(_named_in(index) - {"lower"}) for index in table.indexes if index.unique]
        return None if (column.name,) in rules else column.fill

    def _change_type(self, table: TableShape, old: Column, new: Column) -> None:
        about = f"{table.name}.{new.name}"
        given = self.answers.conversions.get(about)
        quoted = f'"{new.name}"'
        if given is not None:
            found: tuple[Sql, str | None] | None = Sql(given, given), "whatever the conversion drops"
        else:
            found = conversion(old.type, new.type, quoted)
        if found is None:
            text = f"{about} changes from {old.type.form} to {new.type.form}: the conversion needs --using {about}=SQL"
            self.questions.append(Question(about, "using", text))
            return
        using, narrowing = found
        physical = (old.type.sqlite, old.type.postgresql) == (new.type.sqlite, new.type.postgresql)
        if physical and using == Sql(quoted, quoted):
            self.steps.append(ChangeForm(table.name, new.name, new.type))
            return
        self.steps.append(ChangeType(table.name, new.name, new.type, using, narrowing))


@dataclass
class _Difference(Generic[Named]):
    gone: list[Named]
    came: list[Named]
    renamed: list[tuple[Named, Named]]
    changed: list[tuple[Named, Named]]


def _compare(before: Iterable[Named], after: Iterable[Named]) -> _Difference[Named]:
    """Things with names: one that is the same but for its name was renamed."""
    old, new = {thing.name: thing for thing in before}, {thing.name: thing for thing in after}
    changed = [(old[name], new[name]) for name in old if name in new and old[name] != new[name]]
    found: _Difference[Named] = _Difference([], [], [], changed)
    came = {name: thing for name, thing in new.items() if name not in old}
    for name, thing in old.items():
        if name in new:
            continue
        match = next((other for other in came.values() if replace(thing, name=other.name) == other), None)
        if match is None:
            found.gone.append(thing)
        else:
            found.renamed.append((thing, match))
            del came[match.name]
    found.came = list(came.values())
    return found


def _is_ours(table: str) -> bool:
    """Sternpost's own tables are never renamed."""
    return table.startswith("sternpost_")


def _rename_question(kind: str, name: str, came: list[str]) -> Question:
    options = " or ".join(f"--rename {name}:{other}" for other in came)
    return Question(
        name, "rename", f"the {kind} {name} is no longer in the contract: {options}, or --drop {name}", tuple(came)
    )


def _matched(now: Shape, new: Shape) -> Iterable[tuple[str, TableShape, TableShape]]:
    return [(name, now[name], table) for name, table in new.items() if name in now]


def _columns(shape: Shape) -> set[str]:
    return {f"{table.name}.{column.name}" for table in shape.values() for column in table.columns}


def _column_renames(table: str, answers: Answers) -> dict[str, str]:
    return {
        old.partition(".")[2]: new.partition(".")[2]
        for old, new in answers.renames.items()
        if old.startswith(f"{table}.") and old.count(".") == 1
    }


def _value_renames(place: str, answers: Answers) -> dict[str, str]:
    return {
        _value_in(old): _value_in(new)
        for old, new in answers.renames.items()
        if old.count(".") > 1 and _place(old) == place
    }


def _place(value: str) -> str:
    """The column of `users.state.open`: a value may hold dots."""
    return ".".join(value.split(".", 2)[:2])


def _value_in(value: str) -> str:
    return value.split(".", 2)[2]


def _enumerations(table: TableShape) -> dict[str, tuple[str, ...]]:
    """The values of each column that has a list of them; a truth value is one of two numbers for SQLite."""
    rules = [rule for check in table.rules if isinstance(check, Check) for rule in check.rules or ()]
    named = {column.name for column in table.columns if column.type.form == "enum"}
    return {rule.column: rule.values for rule in rules if isinstance(rule, OneOf) and rule.column in named}


def _values(shape: Shape) -> set[str]:
    return {
        f"{table.name}.{column}.{value}"
        for table in shape.values()
        for column, values in _enumerations(table).items()
        for value in values
    }


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _renamed(shape: Shape, answers: Answers) -> Shape:
    """The schema with tables and columns renamed."""
    now = _renamed_tables(shape, answers)
    return {name: with_renamed_columns(table, _column_renames(name, answers)) for name, table in now.items()}


def _renamed_tables(shape: Shape, answers: Answers) -> Shape:
    return with_renamed_tables(shape, {old: new for old, new in answers.renames.items() if "." not in old})


def _only(rule: Rule) -> DatabaseName | None:
    """The one database that has a check; None where both have the rule."""
    return rule.condition.only if isinstance(rule, Check) else None


def _mentions(rule: Check, columns: set[str]) -> bool:
    return not rule.columns.isdisjoint(columns)


def _kept_meanwhile(indexes: _Difference[Index], after: TableShape) -> dict[str, str]:
    """Unique indexes whose names something new gets: they keep values apart, under other names, until that is there."""
    new = {rule.name for rule in after.rules}
    kept = {index.name for index in indexes.gone if index.unique and index.name in new}
    kept |= {index.name for index, _ in indexes.changed if index.unique}
    return {name: database_name(name, "old") for name in sorted(kept)}


def _can_be_first(index: Index, before: TableShape, after: TableShape) -> bool:
    """Whether a unique index is made before anything of the table is taken away: the rule that it replaces keeps values
    apart until then, and stays where rows clash."""
    kept = {column.name: column for column in before.columns}
    new = {column.name for column in after.columns if kept.get(column.name) != column}
    return index.unique and not (_named_in(index) | set(re.findall(r"\w+", f"{index.where}"))) & new


def _named_in(index: Index) -> set[str]:
    """The words in the columns of an index, some of which are expressions."""
    return set(re.findall(r"\w+", " ".join(index.columns)))


def _key(table: TableShape) -> str:
    """What puts the rows of a table in order: its key, or the first part of it."""
    return table.primary_key.columns[0]


def _is_wider(old: Check, new: Check) -> bool:
    """Whether every row that fulfils the old condition fulfils the new one, as far as it can be seen."""
    gone = all(new.condition.on(name) in (None, old.condition.on(name)) for name in DATABASE_NAMES)
    return gone or (old.rules is not None and new.rules is not None and allow_all_of(new.rules, old.rules))
