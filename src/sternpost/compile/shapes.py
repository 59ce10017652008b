"""Makes the shapes of a plan, after everything else in it is decided."""

from __future__ import annotations

from dataclasses import replace

from sternpost.compile.versions import Older
from sternpost.plan.members import operators_of
from sternpost.plan.model import (
    FieldPlan,
    OperationPlan,
    PayloadPlan,
    Plan,
    RelatedFilter,
    RelationPlan,
    ResourcePlan,
)
from sternpost.plan.shapes import (
    WRITABLE,
    AuthoredRow,
    Filter,
    InputShape,
    ListMember,
    Member,
    OutputMember,
    OutputRelation,
    OutputShape,
    QueryShape,
    RelatedFilterShape,
    ResourceShape,
    RowsShape,
)

_NOT_AUTHORED = ("version", "deleted", "database")
"""Who fills in what the author's own code cannot set."""


def with_shapes(newest: Plan, older: tuple[Older, ...]) -> tuple[Plan, tuple[Older, ...]]:
    """The plans of all versions of an API with the shapes of their resources and operations."""
    return _Shapes(newest, newest).made(), tuple(
        replace(version, plan=_Shapes(version.plan, newest).made()) for version in older
    )


class _Shapes:
    """Makes those of one version.

    Args:
        plan: the version's.
        newest: that of the newest version, whose fields are what is stored.
    """

    def __init__(self, plan: Plan, newest: Plan) -> None:
        self.plan = plan
        self.newest = newest

    def made(self) -> Plan:
        return replace(self.plan, resources=tuple(self._resource(resource) for resource in self.plan.resources))

    def _resource(self, resource: ResourcePlan) -> ResourcePlan:
        shape = ResourceShape(
            output=self._output(resource),
            lists=self._lists(resource, partial=False),
            authored=_authored(resource),
        )
        operations = tuple(
            replace(operation, takes=self._takes(resource, operation), query=self._query(resource, operation))
            for operation in resource.operations
        )
        return replace(resource, shape=shape, operations=operations)

    # -- what is taken

    def _takes(self, resource: ResourcePlan, operation: OperationPlan) -> InputShape | None:
        if operation.kind not in WRITABLE:
            return _payload(operation.input) if operation.input is not None else None
        writable, partial = WRITABLE[operation.kind], operation.kind == "update"
        lists = self._lists(resource, partial=partial)
        read_only = [f.public_name for f in resource.shown if f.write not in writable and not f.hidden]
        read_only += [relation.public_name for relation in resource.relations if relation.input_name is None]
        for each in lists:
            read_only += each.items.read_only if each.items is not None else ()
        return InputShape(
            name=f"{resource.name}{operation.kind.capitalize()}",
            members=_members(resource, writable, partial=partial, keeps=operation.kind == "replace"),
            lists=lists,
            read_only=tuple(dict.fromkeys(read_only)),
            create_only=tuple(
                f.public_name for f in resource.fields if f.write == "create" and "create" not in writable
            ),
            partial=partial,
            from_caller=() if partial else self._from_caller(resource, writable),
            keeps=operation.kind == "replace",
        )

    def _from_caller(self, resource: ResourcePlan, writable: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the newest version: an older one may not know the field, and its rows need a value all the same.
        What no client sets is the caller in a new row, and stays so."""
        fields = self.newest.by_name[resource.name].fields
        rules = (*writable, "never") if "create" in writable else writable
        return tuple(field.name for field in fields if field.caller_default and field.write in rules)

    def _lists(self, resource: ResourcePlan, *, partial: bool) -> tuple[ListMember, ...]:
        return tuple(
            ListMember(
                name=relation.name,
                public_name=relation.input_name,
                target=relation.target,
                required=relation.min_items > 0 and not partial,
                min_items=relation.min_items,
                max_items=relation.max_items,
                items=self._items(relation) if relation.kind == "owned" else None,
                write_scope=relation.write_scope,
            )
            for relation in resource.relations
            if relation.input_name is not None
        )

    def _items(self, relation: RelationPlan) -> InputShape:
        """An item is always a new one. Its reference to the row that owns it is the server's to set, and said to be."""
        target = self.plan.by_name[relation.target]
        return InputShape(
            name=f"{target.name}Create",
            members=_members(target, WRITABLE["create"], partial=False, keeps=True),
            lists=self._lists(target, partial=False),
            read_only=tuple(field.public_name for field in target.shown if field.write == "never"),
            keeps=True,
        )

    # -- what is given, and what can be asked for

    def _output(self, resource: ResourcePlan) -> OutputShape:
        shown_with = (resource, *(self.plan.by_name[relation.target] for relation in resource.owned_relations))
        scopes = {field.read_scope for part in shown_with for field in part.shown if field.read_scope}
        return OutputShape(
            members=tuple(
                OutputMember(field.name, field.public_name, field.read_scope)
                for field in resource.shown
                if not field.hidden
            ),
            relations=tuple(
                self._included(resource, relation) for relation in resource.relations if self._can_be_included(relation)
            ),
            scopes=tuple(sorted(scopes)),
        )

    def _can_be_included(self, relation: RelationPlan) -> bool:
        """Whether some policy lets somebody see its rows."""
        return relation.kind == "owned" or self.plan.by_name[relation.target].reading is not None

    def _included(self, resource: ResourcePlan, relation: RelationPlan) -> OutputRelation:
        """Its rows are filtered and sorted as their own list is, but for the field that ties them to the row they are
        under."""
        target = self.plan.by_name[relation.target]
        rows = None if relation.kind == "one" else _rows(target, target.listing, without=relation.remote_field)
        reference = self.newest.reference_of(resource, relation)
        return OutputRelation(
            relation.name,
            relation.public_name,
            relation.kind,
            relation.target,
            relation.max_items,
            rows,
            reference.read_scope if reference is not None else None,
        )

    def _related(self, resource: ResourcePlan, declared: RelatedFilter) -> RelatedFilterShape | None:
        """None where this version of the API does not know the way, or the field."""
        at = resource
        path: list[tuple[str, str]] = []
        public_path: list[str] = []
        scopes: list[str | None] = []
        for name in declared.path:
            relation = at.relations_by_name.get(name)
            if relation is None:
                return None
            reference = self.newest.reference_of(at, relation)
            scopes.append(reference.read_scope if reference is not None else None)
            path.append((name, relation.target))
            public_path.append(relation.public_name)
            at = self.plan.by_name[relation.target]
        field = at.fields_by_name.get(declared.field)
        if field is None or (declared.members and (field.hidden or field.converted)):
            return None
        value = (field.name, *declared.members)
        way = [self.plan.field_at(at, value[: length + 1]) for length in range(len(value))]
        public_path += [each.public_name for each in way[:-1]]
        operators = operators_of(way) if declared.members else field.filters
        shown = Filter(way[-1].name, way[-1].public_name, operators, field.read_scope)
        needed = frozenset(scope for scope in (*scopes, field.read_scope) if scope is not None and not declared.all)
        return RelatedFilterShape(tuple(path), tuple(public_path), at.name, value, shown, needed, declared.all)

    def _query(self, resource: ResourcePlan, operation: OperationPlan) -> QueryShape | None:
        if operation.kind not in ("browse", "read"):
            return None
        return QueryShape(
            rows=replace(
                _rows(resource, operation),
                related=tuple(filter(None, (self._related(resource, each) for each in operation.related))),
                or_groups=operation.or_groups,
                search=tuple((each.name, resource.fields_by_name[each.name].public_name) for each in operation.search),
            )
            if operation.kind == "browse"
            else RowsShape(),
            page_size=operation.page_size,
            max_page_size=operation.max_page_size,
            includes=any(map(self._can_be_included, resource.relations)),
        )


def _members(resource: ResourcePlan, writable: tuple[str, ...], *, partial: bool, keeps: bool) -> tuple[Member, ...]:
    """`keeps`: where a row is there already, who cannot see or set a value leaves it out, and it stays as it is."""
    return tuple(
        Member(
            field.name,
            field.public_name,
            required=field.required and not partial and not (keeps and _scoped(field)),
            filled_in=field.generated == "database",
            read_scope=field.read_scope,
            write_scope=field.write_scope,
            expected=field.required and not partial and keeps and _scoped(field),
        )
        for field in resource.fields
        if field.write in writable
    )


def _scoped(field: FieldPlan) -> bool:
    return field.read_scope is not None or field.write_scope is not None


def _payload(payload: PayloadPlan) -> InputShape:
    return InputShape(payload.name, tuple(Member(f.name, f.public_name, f.required) for f in payload.fields))


def _rows(resource: ResourcePlan, listing: OperationPlan | None, without: str | None = None) -> RowsShape:
    if listing is None:
        return RowsShape()
    return RowsShape(
        filters=tuple(
            Filter(field.name, field.public_name, field.filters, field.read_scope)
            for field in resource.fields
            if field.filters and field.name != without
        ),
        sorts=tuple((resource.fields_by_name[name].public_name, name) for name in listing.sort),
    )


def _authored(resource: ResourcePlan) -> AuthoredRow:
    by_relation = {relation.local_field for relation in resource.relations if relation.kind == "one"}
    written = [field for field in resource.fields if field.computed is None and field.generated not in _NOT_AUTHORED]
    return AuthoredRow(
        create=tuple(
            Member(field.name, field.public_name, required=field.required and field.name not in by_relation)
            for field in written
        ),
        update=tuple(field.name for field in written if field.name != "id" and field.generated != "tenant"),
    )
