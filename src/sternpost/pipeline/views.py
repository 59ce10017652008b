"""Which part of a resource a caller gets: the fields they may see, the relations they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from sternpost.pipeline.authorize import ALLOW, fold_for
from sternpost.plan.derived import readable_rows, selecting
from sternpost.plan.model import FieldPlan, OfRows, Plan, RelationPlan, ResourcePlan
from sternpost.plan.query import Fact, Nested, Node, Order, Select, every, in_order
from sternpost.plan.shapes import INCLUDE_DEPTH_MAX, INCLUDES_MAX, OutputRelation
from sternpost.ports.authenticator import NO_SCOPES, Principal

RELATIONS_MAX = INCLUDES_MAX * INCLUDE_DEPTH_MAX
"""Relations of one answer, however they are asked for."""


@dataclass(slots=True, eq=False)
class IncludeTree:
    """What is asked of a resource, or of a relation: its fields, and further relations with what is asked of them.

    Attributes:
        path: the relations from the list's own resource to this one, joined by dots.
        fields: the fields that are wanted, by name; None for all that the caller may see, and the lists it owns.
        conditions, order: which rows of the relation, and in which order.
        limit: the slot of a limit of its own; None where the contract's maximum is the limit.
    """

    path: str = ""
    children: dict[str, IncludeTree] = field(default_factory=lambda: {})
    fields: frozenset[str] | None = None
    conditions: tuple[Node, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None


EMPTY_TREE = IncludeTree()


class Views:
    """Builds the queries of views; the plain ones are made once per resource and set of scopes."""

    def __init__(self, plan: Plan, newest: Plan) -> None:
        self.plan = plan
        self._newest = newest
        self._read_scopes = {resource.name: frozenset(resource.shape.output.scopes) for resource in plan.resources}
        self._computing = frozenset(resource.name for resource in plan.resources if self._computes(resource))
        """What a caller gets to see of these is no matter of read scopes alone."""
        self._own: dict[tuple[str, frozenset[Fact], bool], Select] = {}
        self._plain: dict[tuple[str, frozenset[str], frozenset[Fact]], Select] = {}

    def of(
        self,
        resource: ResourcePlan,
        principal: Principal | None,
        facts: frozenset[Fact] = frozenset(),
        tree: IncludeTree = EMPTY_TREE,
    ) -> Select:
        """The view of `resource` for a caller: visible fields, owned lists always, other relations as asked for."""
        if tree.children or tree.fields is not None or resource.name in self._computing:
            return self._build(resource, principal, facts, tree)
        scopes = principal.scopes if principal else NO_SCOPES
        key = (resource.name, scopes & self._read_scopes[resource.name], facts)
        found = self._plain.get(key)
        if found is None:
            found = self._plain[key] = self._build(resource, principal, facts, tree)
        return found

    def full(self, resource: ResourcePlan, facts: frozenset[Fact] = frozenset(), *, lock: bool = False) -> Select:
        """Every field and every owned list, for the service's own use. With `lock` nobody changes the row meanwhile."""
        key = (resource.name, facts, lock)
        found = self._own.get(key)
        if found is None:
            lists = tuple(
                Nested(relation.name, self.full(self.plan.by_name[relation.target]))
                for relation in resource.owned_relations
            )
            names = tuple(f.name for f in resource.fields)
            found = Select(resource.name, names, relations=lists, facts=in_order(facts), lock=lock)
            self._own[key] = found
        return found

    def is_whole(self, view: Select) -> bool:
        """Whether a view without relations leaves out nothing of a row as it is stored."""
        resource = self._newest.by_name[view.resource]
        return len(view.fields) == len(resource.fields) and all(
            self.is_whole(nested.query) for nested in view.relations
        )

    def _build(
        self, resource: ResourcePlan, principal: Principal | None, facts: frozenset[Fact], tree: IncludeTree
    ) -> Select:
        resource = self.plan.by_name[resource.name]  # as it is in this version of the API
        scopes = principal.scopes if principal else NO_SCOPES
        visible = tuple(
            f.name for f in resource.fields if can_see(f, scopes) and (tree.fields is None or f.name in tree.fields)
        )
        relations: list[Nested] = []
        for relation in resource.relations:
            asked = tree.children.get(relation.name)
            if asked is None and (relation.kind != "owned" or tree.fields is not None):
                continue
            relations.append(self._nested(relation, asked or EMPTY_TREE, principal))
        computed = [
            f for f in resource.computed if can_see(f, scopes) and (tree.fields is None or f.name in tree.fields)
        ]
        readable = partial(self._counted, resource, principal)
        return selecting(resource, visible, computed, in_order(facts), readable=readable, relations=tuple(relations))

    def _computes(self, resource: ResourcePlan) -> bool:
        """Whether a part of its rows, as answers have them, is computed when they are read."""
        owned = (self.plan.by_name[relation.target] for relation in resource.owned_relations)
        return bool(resource.computed) or any(map(self._computes, owned))

    def _counted(self, resource: ResourcePlan, principal: Principal | None, of: OfRows) -> Node:
        """Which rows of a list count for a caller: those that could be read along, unless all do."""
        if of.all:
            return ALLOW
        relation = self._newest.by_name[resource.name].relations_by_name[of.relation]
        return self._readable(relation, principal)

    def _readable(self, relation: RelationPlan, principal: Principal | None) -> Node:
        return readable_rows(self.plan, relation, lambda policy: fold_for(policy, principal))

    def _nested(self, relation: RelationPlan, asked: IncludeTree, principal: Principal | None) -> Nested:
        """The rows of a relation that the caller may see, as far as the contract's maximum allows."""
        target = self.plan.by_name[relation.target]
        view = self.of(target, principal, tree=asked)
        conditions = (*asked.conditions, self._readable(relation, principal))
        query = replace(view, where=every(conditions), order=asked.order, limit=asked.limit)
        counts = relation.kind in ("many", "linked") or asked.limit is not None
        return Nested(relation.name, query, relation.max_items if counts else None)


def can_see(field: FieldPlan, scopes: frozenset[str]) -> bool:
    """Whether a caller with these scopes may see a field of a row that they may see."""
    return not field.hidden and holds_scope(field, scopes)


def holds_scope(part: FieldPlan | OutputRelation, scopes: frozenset[str]) -> bool:
    """Whether these scopes are enough to read a field, or to be told which row refers to which."""
    return holds(part.read_scope, scopes)


def holds(scope: str | None, scopes: frozenset[str]) -> bool:
    """Whether a scope that is asked for is among a caller's; nothing may be asked for."""
    return scope is None or scope in scopes
