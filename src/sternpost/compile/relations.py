"""Resolves relations: which resource refers to which, by which column, and which resource owns which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sternpost.compile.database_names import table_problem
from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import Relation, ResourceDraft
from sternpost.compile.names import camel, listed, similar, singular, snake
from sternpost.compile.options import scope_of, shown
from sternpost.contract.source import attribute_source
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, RelationPlan
from sternpost.plan.names import database_name


class RelationCompiler:
    """Compiles the relations of all resources together, since each needs the other side."""

    def __init__(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        self.drafts = drafts
        self.report = report
        self.tables = {draft.table for draft in drafts.values()}
        self.pairs: dict[str, set[str]] = {}

    def compile_all(self) -> dict[str, tuple[RelationPlan, ...]]:
        """The relations of each resource; drafts learn what owns them."""
        compiled: dict[str, tuple[RelationPlan, ...]] = {}
        for name, draft in self.drafts.items():
            plans = [self._relation(draft, relation) for relation in draft.relations]
            compiled[name] = tuple(plan for plan in plans if plan is not None)
        self._check_tables_of_pairs(compiled)
        for name, draft in self.drafts.items():
            self._check_computed(draft, compiled[name])
            if draft.owned_by is not None:
                self._check_lists_of_owned(draft, compiled[name])
        return compiled

    def _check_tables_of_pairs(self, compiled: Mapping[str, tuple[RelationPlan, ...]]) -> None:
        """Two tables of which each is named by one side alone, and nearly as the other, are meant to be one."""
        sides: dict[tuple[str, str], dict[str, RelationPlan]] = {}
        for name, relations in compiled.items():
            for relation in relations:
                if relation.link_table is not None:
                    sides.setdefault((name, relation.target), {})[relation.link_table] = relation
        for (name, target), tables in sides.items():
            others = sides.get((target, name), {})
            if name > target or not others:
                continue
            for table in tables.keys() - others.keys():
                for other in sorted(others.keys() - tables.keys()):
                    if similar(table, other):
                        self._two_tables(name, tables[table], target, others[other])

    def _two_tables(self, name: str, relation: RelationPlan, target: str, back: RelationPlan) -> None:
        draft = self.drafts[name]
        declared = next(each for each in draft.relations if each.name == relation.name)
        self._add(
            declared,
            "SP312",
            f"the table of pairs is {relation.link_table!r} here, and {back.link_table!r} in {target}.{back.name}: "
            "these would be two relations, of which neither knows the pairs of the other",
            f'write through="{back.link_table}" on both sides, or give the tables names that are less alike',
            "through",
        )

    def _check_lists_of_owned(self, draft: ResourceDraft, relations: tuple[RelationPlan, ...]) -> None:
        """The rows of an owned list are written with their owner, and nothing further with them."""
        written = {relation.name: relation for relation in relations if relation.input_name is not None}
        for declared in draft.relations:
            relation = written.get(declared.name)
            if relation is None:
                continue
            how = (
                f"use Many[{relation.target}], and give {relation.target} operations of its own"
                if relation.kind == "owned"
                else 'write many(through=…, write="never")'
            )
            self._add(
                declared,
                "SP314",
                f"{draft.name} is owned by {draft.owned_by}, and its rows cannot have a list that is written with them",
                f"{how}, or use Many[{draft.name}] in {draft.owned_by}",
            )

    def _relation(self, draft: ResourceDraft, relation: Relation) -> RelationPlan | None:
        if relation.type.target not in self.drafts:
            self._add(
                relation,
                "SP301",
                f"{relation.type.target} is not a resource of the contract",
                f"list it in the contract, or use one of {listed(self.drafts)}",
            )
            return None
        if relation.type.form == "one":
            return self._plan(relation, "one", f"{relation.name}_id", "id")
        self._check_bounds(relation)
        if relation.options.get("through") is not None:
            return self._linked(draft, relation)
        back = self._back(draft.name, relation)
        if back is None:
            return None
        if relation.type.form == "many":
            return self._plan(relation, "many", "id", back, nested_route=bool(relation.options.get("route", True)))
        return self._owned(draft.name, relation, back)

    def _back(self, name: str, relation: Relation) -> str | None:
        """The foreign key of the target that points at `name`."""
        candidates = [
            other
            for other in self.drafts[relation.type.target].relations
            if other.type.form == "one" and other.type.target == name
        ]
        by = relation.options.get("by")
        names = [candidate.name for candidate in candidates]
        if by is not None:
            if by not in names:
                self._add(
                    relation,
                    "SP304",
                    f"{relation.type.target} has no One[{name}] named {shown(by)}",
                    f"name one of {listed(names)}"
                    if names
                    else f"add {snake(name)}: One[{name}] to {relation.type.target}",
                    "by",
                )
                return None
            return f"{by}_id"
        if not names:
            self._add(
                relation,
                "SP302",
                f"{relation.type.target} has no reference that points back to {name}",
                f"add {snake(name)}: One[{name}] to {relation.type.target}"
                + ("" if relation.type.form == "owned" else ", or write many(through=…) for many-to-many"),
            )
            return None
        if len(names) > 1:
            self._add(
                relation,
                "SP303",
                f"{relation.type.target} has several references to {name}: {listed(names)}",
                f'choose one: many(by="{names[0]}")',
            )
            return None
        return f"{names[0]}_id"

    def _owned(self, name: str, relation: Relation, back: str) -> RelationPlan:
        target = relation.type.target
        owned = self.drafts[target]
        if owned.operations:
            self._add(
                relation,
                "SP305",
                f"{target} is owned by {name} and only written with it, but has its own operations",
                f"remove the operations of {target}, or use Many[{target}]",
            )
        if owned.owned_by not in (None, name):
            message = f"{target} is already owned by {owned.owned_by}"
            self._add(relation, "SP306", message, "use Owned[…] in one place only, or use Many[…]")
        owned.owned_by = owned.owned_by or name
        if owned.fields[back].read_scope is not None:
            self._add(
                relation,
                "SP315",
                f"{target}.{back.removesuffix('_id')} has a read scope, but this list tells which rows refer to which",
                f"remove read from {target}.{back.removesuffix('_id')}, or use Many[{target}]",
            )
        owned.fields[back] = replace(
            owned.fields[back], write="never", required=False, hidden=True, on_delete="cascade"
        )
        return self._plan(relation, "owned", "id", back, input_name=camel(relation.name))

    def _linked(self, draft: ResourceDraft, relation: Relation) -> RelationPlan | None:
        name, through, target = draft.name, relation.options["through"], relation.type.target
        if relation.type.form == "owned":
            self._add(
                relation,
                "SP312",
                "an owned row belongs to exactly one row, so Owned[…] cannot be many-to-many",
                f"use Many[{target}], or remove through",
                "through",
            )
            return None
        if table_problem(through, external=draft.external) or through in self.tables:
            self._add(
                relation,
                "SP312",
                f"through={shown(through)} cannot be the name of the table of pairs",
                "use a lower-case name that no resource has as its table, such as "
                f'through="{snake(name)}_{snake(target)}"',
                "through",
            )
            return None
        pair = self.pairs.setdefault(through, {name, target})
        if pair != {name, target}:
            self._add(
                relation,
                "SP312",
                f"the table {through!r} already holds the pairs of {listed(sorted(pair))}",
                "choose another table",
                "through",
            )
            return None
        if target == name:
            self._add(
                relation,
                "SP312",
                "a many-to-many relation of a resource with itself is not supported",
                "declare a resource for the pairs, with two One[…]",
                "through",
            )
            return None
        plan = self._plan(relation, "linked", "id", "id", nested_route=bool(relation.options.get("route", True)))
        write = relation.options.get("write", "always")
        local, remote = relation.options.get("columns") or (
            database_name(_singular_table(draft.table), "id"),
            database_name(_singular_table(self.drafts[target].table), "id"),
        )
        return replace(
            plan,
            link_table=through,
            link_local=local,
            link_remote=remote,
            link_schema=draft.schema,
            input_name=None if write == "never" else f"{camel(singular(relation.name))}Ids",
            write_scope=scope_of(write),
        )

    def _plan(
        self,
        relation: Relation,
        kind: Any,
        local: str,
        remote: str,
        *,
        nested_route: bool = False,
        input_name: str | None = None,
    ) -> RelationPlan:
        options = relation.options
        return RelationPlan(
            name=relation.name,
            public_name=camel(relation.name),
            kind=kind,
            target=relation.type.target,
            local_field=local,
            remote_field=remote,
            link_table=None,
            link_local=None,
            link_remote=None,
            input_name=input_name,
            min_items=options.get("min_length", 0),
            max_items=_most(relation),
            nested_route=nested_route,
            description=options.get("description", ""),
        )

    def _check_bounds(self, relation: Relation) -> None:
        low, high = relation.options.get("min_length", 0), _most(relation)
        if not 0 <= low <= high or not 1 <= high <= 10_000:
            self._add(
                relation,
                "SP310",
                f"min_length={low} and max_length={high} do not fit together",
                "choose values with 0 ≤ min_length ≤ max_length and 1 ≤ max_length ≤ 10000",
                "max_length"
                if "max_length" in relation.options and relation.options["max_length"] is not None
                else "min_length",
            )

    def _check_computed(self, draft: ResourceDraft, relations: tuple[RelationPlan, ...]) -> None:
        fields = draft.fields
        for field in list(fields.values()):
            if field.computed is None:
                continue
            where = draft.where(field.name)
            owned = next(
                (
                    relation
                    for relation in relations
                    if relation.name == field.computed.relation and relation.kind == "owned"
                ),
                None,
            )
            if owned is None or not KINDS[field.kind].exact:
                self._wrong_total(draft, field, owned, relations)
                continue
            items = self.drafts[owned.target].fields
            wrong = [name for name in field.computed.factors if name not in items or not KINDS[items[name].kind].exact]
            if wrong:
                self.report.add(
                    where,
                    "SP311",
                    f"{draft.name}.{field.name}: {owned.target} has no numeric field {listed(wrong)}",
                    f"use some of {listed(item.name for item in items.values() if KINDS[item.kind].exact)}",
                )
                continue
            hidden = {items[name].read_scope: name for name in field.computed.factors if items[name].read_scope}
            for scope, name in hidden.items():
                if scope != field.read_scope:
                    self.report.add(
                        where,
                        "SP311",
                        f"{draft.name}.{field.name}: the sum tells {owned.target}.{name}, which only tokens with the "
                        f"scope {scope} may read",
                        f'add read="{scope}" to the total',
                    )
            if "decimal_places" in KINDS[field.kind].bounds:
                # exact: a product has as many places as its factors together
                places = sum(items[name].decimal_places or 0 for name in field.computed.factors)
                fields[field.name] = replace(field, decimal_places=places)

    def _wrong_total(
        self, draft: ResourceDraft, field: FieldPlan, owned: RelationPlan | None, relations: tuple[RelationPlan, ...]
    ) -> None:
        name, computed = f"{draft.name}.{field.name}", field.computed
        if owned is not None or computed is None:
            self.report.add(
                draft.where(field.name),
                "SP311",
                f"{name}: a computed sum is a number, but the type of this field is {field.kind}",
                "give it the type int or Decimal",
            )
            return
        possible = [relation.name for relation in relations if relation.kind == "owned"]
        self.report.add(
            draft.where(field.name),
            "SP311",
            f"{name}: {computed.relation!r} is not an owned list of {draft.name}",
            f"sum over one of {listed(possible)}" if possible else f"declare {computed.relation}: Owned[…] first",
        )

    def _add(self, relation: Relation, code: str, message: str, fix: str, keyword: str | None = None) -> None:
        declaration = relation.declaration
        where = attribute_source(declaration.source, declaration.name, relation.name, keyword)
        self.report.add(where, code, f"{declaration.name}.{relation.name}: {message}", fix)


def _most(relation: Relation) -> int:
    declared = relation.options.get("max_length")
    if declared is not None:
        return declared
    return 100 if relation.type.form == "owned" else 1000


def _singular_table(table: str) -> str:
    head, separator, last = table.rpartition("_")
    return f"{head}{separator}{singular(last)}"
