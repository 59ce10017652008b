"""Fields that are computed when their row is read: `visit_count: int = computed(count_of("visits"))`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sternpost.compile.conditions import ConditionCompiler
from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import Relation, ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.names import a, listed
from sternpost.compile.options import is_flag, shown
from sternpost.contract.fields import ByFunction, OverRows
from sternpost.contract.operations import Browse, Read
from sternpost.contract.policy import Instant
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, InPython, OfRows
from sternpost.plan.policy import Compare, Now, PolicyNode, paths

UNRESOLVED = OfRows("count", "")
"""What a field is computed of until it is known, and where it is wrong."""

LISTS_MAX = 20
"""Fields of a resource that may be computed of lists."""

_LIMITS = ("min_length", "max_length", "ge", "le", "decimal_places", "max_digits")
_TYPES: dict[str, type] = {"count": int, "exists": bool}
"""By function: the type of its field."""


class ComputedFields(Feature):
    """What is told of lists, and what functions make of rows: no columns, and no conditions on them."""

    def read_all(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        """After the relations: the lists are known, and which fields there are."""
        for draft in drafts.values():
            for name in list(draft.computed):
                try:
                    draft.computed[name] = _Resolver(drafts, draft, name, report).resolved()
                except _Wrong as wrong:
                    draft.computed[name] = replace(draft.computed[name], derived=UNRESOLVED)
                    report.add(draft.where(name, wrong.keyword), wrong.code, f"{draft.name}.{name}: {wrong}", wrong.fix)
            of_lists = [name for name, field in draft.computed.items() if _is_of_list(field)]
            if len(of_lists) > LISTS_MAX:
                report.add(
                    draft.where(of_lists[LISTS_MAX]),
                    "SP080",
                    f"{draft.name} has {len(of_lists)} fields that are computed of lists, each a subquery of every "
                    f"statement that reads a row; {LISTS_MAX} are allowed",
                    "compute several of them in Python with one query, or store what seldom changes",
                )

    def resource(self, draft: ResourceDraft) -> Mapping[str, Any]:
        return {"computed": tuple(draft.computed.values())}


def _is_of_list(field: FieldPlan) -> bool:
    return isinstance(field.derived, OfRows) and field.derived is not UNRESOLVED


class _Wrong(Exception):
    """What is wrong with a computed field, with the fix."""

    def __init__(self, message: str, fix: str, code: str = "SP080", keyword: str | None = None) -> None:
        super().__init__(message)
        self.fix, self.code, self.keyword = fix, code, keyword


@dataclass(slots=True)
class _Resolver:
    """Finds out what one field is computed of."""

    drafts: Mapping[str, ResourceDraft]
    draft: ResourceDraft
    name: str
    report: Report

    def resolved(self) -> FieldPlan:
        """The field. Raises `_Wrong`."""
        declared = self.draft.declared[self.name]
        of, field = declared.computed, self.draft.computed[self.name]
        if declared.options.get("filter"):
            possible = listed(each.name for each in self._own() if KINDS[each.kind].filters)
            raise _Wrong(
                "a list cannot be filtered by it, because it is computed when a row is read",
                f"leave filter out; fields that can be filtered by are {possible}",
                "SP082",
                "filter",
            )
        if not is_flag(of.all):
            raise _Wrong(f"all={shown(of.all)} is not True or False", "write all=True, or leave it out")
        if isinstance(of, ByFunction):
            made = self._in_python(of, field)
            masked = any(self.draft.fields[name].sensitive for name in made.fields)
            return replace(field, derived=made, sensitive=masked)
        limits = [name for name in _LIMITS if name in declared.options]
        if limits:
            fix = f"leave {listed(limits)} out; limits are for in_python(…)"
            raise _Wrong(f"its values follow from the rows, and have no {listed(limits)} of their own", fix)
        return self._of_rows(of, field)

    def _own(self) -> Iterable[FieldPlan]:
        """The fields that are stored, and that a client may see."""
        return (field for field in self.draft.fields.values() if not field.hidden)

    # -- in Python

    def _in_python(self, of: ByFunction, field: FieldPlan) -> InPython:
        names = [self._taken(name) for name in of.fields]
        if len({*names}) < len(names):
            raise _Wrong("in_python(…) names a field twice", "name each once")
        fields = [self.draft.fields[name] for name in names]
        self._require_seen(field, [(f"{self.draft.name}.{each.name}", each.read_scope) for each in fields], of.all)
        return InPython(tuple(name for name in names if name != "id"), of.all)

    def _taken(self, name: object) -> str:
        """The stored field that a name means: its own, or that of the reference whose key it holds."""
        references = {each.name for each in self.draft.relations if each.type.form == "one"}
        found = f"{name}_id" if isinstance(name, str) and name in references else name
        possible = [each.name for each in self._own()]
        if not isinstance(found, str) or found not in possible:
            what = (
                "is itself computed when the row is read"
                if isinstance(found, str) and found in self.draft.computed
                else "is no stored field"
            )
            raise _Wrong(f"in_python({shown(name)}): {shown(name)} {what}", f"use some of {listed(possible)}")
        return found

    # -- of the rows of a list

    def _of_rows(self, of: OverRows, field: FieldPlan) -> FieldPlan:
        relation = next((each for each in self.draft.relations if each.name == of.relation), None)
        if relation is None or relation.type.form == "one":
            lists = [each.name for each in self.draft.relations if each.type.form != "one"]
            raise _Wrong(
                f"{of.function}_of({shown(of.relation)}, …): {self.draft.name} has no such list",
                f"use one of {listed(lists)}" if lists else "declare it, such as visits: Many[Visit]",
            )
        target = self.drafts.get(relation.type.target)
        if target is None:  # which is reported at the relation
            return field
        where = None if of.where is None else self._where(of.where, target)
        read = self._reference(relation, target)
        read += [(f"{target.name}.{path[0]}", target.fields[path[0]].read_scope) for path in self._paths(where)]
        made = OfRows(of.function, of.relation, where, all=of.all)
        if of.function == "latest":
            last, by = self._value(of.field, target, "field"), self._value(of.by or of.field, target, "by")
            read += [(f"{target.name}.{each.name}", each.read_scope) for each in (last, by)]
            made, field = replace(made, field=last.name, by=by.name), self._like(field, last)
        else:
            self._require_type(field, _TYPES[of.function])
            field = replace(field, minimum=0) if of.function == "count" else field
        self._require_read(relation, target, of.all)
        self._require_seen(field, read, of.all)
        return replace(field, derived=made)

    def _where(self, condition: object, target: ResourceDraft) -> PolicyNode | None:
        def add(code: str, message: str, fix: str) -> None:
            where = self.draft.where(self.name)
            self.report.add(where, "SP080", f"{self.draft.name}.{self.name}: where: {message}", fix)

        return _RowsOfList(target, add).compile(condition)

    def _paths(self, where: PolicyNode | None) -> list[tuple[str, ...]]:
        return [] if where is None else sorted(paths(where))

    def _reference(self, relation: Relation, target: ResourceDraft) -> list[tuple[str, str | None]]:
        """The reference that says whose rows they are; none where a table of pairs does."""
        if relation.options.get("through") is not None:
            return []
        by = relation.options.get("by")
        pointing = [
            each.name
            for each in target.relations
            if each.type.form == "one" and each.type.target == self.draft.name and by in (None, each.name)
        ]
        key = target.fields.get(f"{pointing[0]}_id") if pointing else None
        return [] if key is None else [(f"{target.name}.{pointing[0]}", key.read_scope)]

    def _value(self, name: object, target: ResourceDraft, what: str) -> FieldPlan:
        field = target.fields.get(name) if isinstance(name, str) else None
        possible = [
            each.name
            for each in target.fields.values()
            if each.references is None
            and not each.hidden
            and each.generated != "deleted"
            and (what == "field" or KINDS[each.kind].ordered)
        ]
        if field is None or field.name not in possible:
            given = f"by={shown(name)}" if what == "by" else shown(name)
            says = "has no order" if field is not None and what == "by" else "is no value of it"
            raise _Wrong(f"latest_of(…, {given}): of {target.name} this {says}", f"use one of {listed(possible)}")
        return field

    def _like(self, field: FieldPlan, source: FieldPlan) -> FieldPlan:
        """The field with all that limits the values of the one that it shows."""
        same = (field.kind, field.choices, field.json_type) == (source.kind, source.choices, source.json_type)
        if not same:
            raise _Wrong(
                f"it shows {source.name}, which is {a(source.kind)}, but its own type is {field.kind}",
                "give it the type of that field, with | None",
            )
        if not field.nullable:
            raise _Wrong("it is null where the list has no row, but its type does not allow None", "add | None to it")
        own = ("name", "public_name", "nullable", "required", "write", "description", "read_scope", "derived")
        kept = {name: getattr(field, name) for name in own}
        none = {"default": None, "unique": False, "filters": (), "generated": None, "write_scope": None}
        more = {"column": None, "on_delete": None, "caller_default": False, "computed": None, "example": None}
        return replace(source, **kept, **none, **more, sensitive=source.sensitive)

    def _require_type(self, field: FieldPlan, wanted: type) -> None:
        if KINDS[field.kind].declared_as is not wanted or field.nullable:
            what = "a number of rows" if wanted is int else "true or false"
            raise _Wrong(
                f"it is {what}, and never null, but its type is another one", f"write {self.name}: {wanted.__name__}"
            )

    # -- who may see it

    def _require_read(self, relation: Relation, target: ResourceDraft, every: bool) -> None:
        can_read = any(isinstance(each, Read | Browse) for each in target.operations.values())
        if not (every or can_read or relation.type.form == "owned"):
            raise _Wrong(
                f"it tells of rows that the caller may read, but nobody may read {target.name}, which has no Read and "
                "no Browse",
                f"give {target.name} one of them, or write all=True to tell of every row",
                "SP081",
            )

    def _require_seen(self, field: FieldPlan, read: Iterable[tuple[str, str | None]], every: bool) -> None:
        if every:
            return
        for name, scope in read:
            if scope not in (None, field.read_scope):
                raise _Wrong(
                    f"it tells something of {name}, which only tokens with the scope {scope} may read",
                    f'add read="{scope}" to it, or write all=True to tell everyone who sees the row',
                    "SP081",
                )


class _RowsOfList(ConditionCompiler):
    """Compiles a condition on the rows of a list, which may ask for the instant of the call, too."""

    of_a_call = "who calls makes no difference to it: rows that they may not read are left out anyway"
    of_others = "it looks at the rows of the list alone"

    def _compare(self, path: Any, operator: Any, value: Any) -> PolicyNode | None:
        if not isinstance(value, Instant):
            return super()._compare(path, operator, value)
        field = self._field(path)
        if field is None:
            return None
        kind = KINDS[field.kind]
        if datetime in kind.types and operator in kind.policies:
            return Compare((field.name,), operator, Now())
        message = f"{field.name} ({field.kind}) cannot be compared with {value!r}"
        return self.add("SP035", message, "compare a datetime with it, by ==, <, <=, > or >=")
