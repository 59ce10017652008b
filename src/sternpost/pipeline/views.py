"""Which part of a resource a caller gets: the fields they may see, the relations they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field

from sternpost.pipeline.authorize import fold_for
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.plan.policy import ALLOW, Path
from sternpost.plan.shapes import INCLUDE_DEPTH_MAX, INCLUDES_MAX
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Condition, Include, View

RELATIONS_MAX = INCLUDES_MAX * INCLUDE_DEPTH_MAX
"""Relations of one answer, however they are asked for."""


@dataclass(slots=True, eq=False)
class IncludeTree:
    """What is asked of a resource, or of a relation: its fields, and further relations with what is asked of them.

    Attributes:
        path: the relations from the list's own resource to this one, joined by dots.
        fields: the fields that are wanted, by name; None for all that the caller may see, and the lists it owns.
        conditions, sort: which rows of the relation, and in which order.
        limited: whether a limit of its own is asked for.
    """

    path: str = ""
    children: dict[str, IncludeTree] = field(default_factory=dict[str, "IncludeTree"])
    fields: frozenset[str] | None = None
    conditions: tuple[Condition, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    limited: bool = False


EMPTY_TREE = IncludeTree()


class Views:
    """Builds views; the plain ones are made once per resource and set of scopes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._read_scopes = {resource.name: frozenset(resource.shape.output.scopes) for resource in plan.resources}
        self._own: dict[tuple[str, bool, frozenset[Path]], View] = {}
        self._plain: dict[tuple[str, frozenset[str], frozenset[Path]], View] = {}

    def of(
        self,
        resource: ResourcePlan,
        principal: Principal | None,
        facts: frozenset[Path] = frozenset(),
        tree: IncludeTree = EMPTY_TREE,
    ) -> View:
        """The view of `resource` for a caller: visible fields, owned lists always, other relations as asked for."""
        if tree.children or tree.fields is not None:
            return self._build(resource, principal, facts, tree)
        scopes = principal.scopes if principal else frozenset[str]()
        key = (resource.name, scopes & self._read_scopes[resource.name], facts)
        found = self._plain.get(key)
        if found is None:
            found = self._plain[key] = self._build(resource, principal, facts, tree)
        return found

    def bare(self, resource: ResourcePlan) -> View:
        """Every field without relations, for the service's own use."""
        return self._for_service(resource, frozenset(), owned=False)

    def full(self, resource: ResourcePlan, facts: frozenset[Path] = frozenset()) -> View:
        """Every field and every owned list, for the service's own use."""
        return self._for_service(resource, facts, owned=True)

    def _for_service(self, resource: ResourcePlan, facts: frozenset[Path], *, owned: bool) -> View:
        key = (resource.name, owned, facts)
        found = self._own.get(key)
        if found is None:
            lists = tuple(
                Include(relation.name, self.full(self.plan.by_name[relation.target]), None)
                for relation in (resource.owned_relations if owned else ())
            )
            names = tuple(f.name for f in resource.fields)
            found = self._own[key] = View(resource.name, names, lists, tuple(sorted(facts)))
        return found

    def _build(
        self, resource: ResourcePlan, principal: Principal | None, facts: frozenset[Path], tree: IncludeTree
    ) -> View:
        resource = self.plan.by_name[resource.name]  # as it is in this version of the API
        scopes = principal.scopes if principal else frozenset[str]()
        visible = tuple(
            f.name for f in resource.fields if can_see(f, scopes) and (tree.fields is None or f.name in tree.fields)
        )
        includes: list[Include] = []
        for relation in resource.relations:
            asked = tree.children.get(relation.name)
            if asked is None and (relation.kind != "owned" or tree.fields is not None):
                continue
            asked = asked or EMPTY_TREE
            target = self.plan.by_name[relation.target]
            policy = None
            if relation.kind != "owned" and target.reading is not None:
                folded = fold_for(target.reading.policy, principal)
                policy = None if folded == ALLOW else folded
            view = self.of(target, principal, tree=asked)
            key = asked.path if asked.conditions or asked.limited else ""
            includes.append(Include(relation.name, view, policy, key, asked.conditions, asked.sort, asked.limited))
        return View(resource.name, visible, tuple(includes), tuple(sorted(facts)))


def can_see(field: FieldPlan, scopes: frozenset[str]) -> bool:
    """Whether a caller with these scopes may see a field of a row that they may see."""
    return not field.hidden and (field.read_scope is None or field.read_scope in scopes)
