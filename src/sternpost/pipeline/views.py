"""Which part of a resource a caller gets: the fields they may see, the relations they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field

from sternpost.pipeline.authorize import fold_for
from sternpost.plan.model import Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import ALLOW, Path
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Include, View

INCLUDE_DEPTH_MAX = 4
INCLUDES_MAX = 20


@dataclass(slots=True)
class IncludeTree:
    """What `include=` asks for: relations by name, each with what is asked of it in turn."""

    children: dict[str, IncludeTree] = field(default_factory=dict[str, "IncludeTree"])


EMPTY_TREE = IncludeTree()


class Views:
    """Builds views; the plain ones are made once per resource and set of scopes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._read_scopes = {
            resource.name: frozenset(f.read_scope for f in resource.fields if f.read_scope)
            for resource in plan.resources
        }
        self._plain: dict[tuple[str, frozenset[str], frozenset[Path]], View] = {}

    def of(
        self,
        resource: ResourcePlan,
        principal: Principal | None,
        facts: frozenset[Path] = frozenset(),
        tree: IncludeTree = EMPTY_TREE,
    ) -> View:
        """The view of `resource` for a caller: visible fields, owned lists always, other relations as asked for."""
        if tree.children:
            return self._build(resource, principal, facts, tree)
        scopes = principal.scopes if principal else frozenset[str]()
        key = (resource.name, self._scopes_that_matter(resource, scopes), facts)
        found = self._plain.get(key)
        if found is None:
            found = self._plain[key] = self._build(resource, principal, facts, tree)
        return found

    def bare(self, resource: ResourcePlan, facts: frozenset[Path] = frozenset()) -> View:
        """Every field without relations, for the service's own use."""
        return View(resource.name, tuple(f.name for f in resource.fields), (), tuple(sorted(facts)))

    def full(self, resource: ResourcePlan, facts: frozenset[Path] = frozenset()) -> View:
        """Every field and every owned list, for the service's own use."""
        owned = tuple(
            Include(relation.name, self.full(self.plan.by_name[relation.target]), None)
            for relation in resource.owned_relations
        )
        return View(resource.name, tuple(f.name for f in resource.fields), owned, tuple(sorted(facts)))

    def includable(self, resource: ResourcePlan) -> tuple[RelationPlan, ...]:
        """The relations that `include=` may name: those whose rows some policy lets somebody see."""
        return tuple(
            r for r in resource.relations if r.kind == "owned" or self.plan.by_name[r.target].reading is not None
        )

    def _scopes_that_matter(self, resource: ResourcePlan, scopes: frozenset[str]) -> frozenset[str]:
        matter = self._read_scopes[resource.name]
        for relation in resource.owned_relations:
            matter = matter | self._read_scopes[relation.target]
        return scopes & matter

    def _build(
        self, resource: ResourcePlan, principal: Principal | None, facts: frozenset[Path], tree: IncludeTree
    ) -> View:
        scopes = principal.scopes if principal else frozenset[str]()
        visible = tuple(
            f.name for f in resource.fields if not f.hidden and (f.read_scope is None or f.read_scope in scopes)
        )
        includes: list[Include] = []
        for relation in resource.relations:
            asked = tree.children.get(relation.name)
            if asked is None and relation.kind != "owned":
                continue
            target = self.plan.by_name[relation.target]
            policy = None
            if relation.kind != "owned" and target.reading is not None:
                folded = fold_for(target.reading.policy, principal)
                policy = None if folded == ALLOW else folded
            includes.append(Include(relation.name, self.of(target, principal, tree=asked or EMPTY_TREE), policy))
        return View(resource.name, visible, tuple(includes), tuple(sorted(facts)))
