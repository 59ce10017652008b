"""Which rows a caller may refer to: those that they may see, unless the relation says otherwise.

A reference to another row is refused as one to a row that does not exist, so that nobody learns what is there. Only
what a client sends is checked: the author's own code asks no policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sternpost.errors import ReferenceNotFound
from sternpost.ids import decode
from sternpost.pipeline.views import holds
from sternpost.plan.model import Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import DENY, PolicyNode
from sternpost.plan.query import Compare, Node, Not, Select, Under, every
from sternpost.ports.storage import Arguments, Asking, Document, Reader


@dataclass(frozen=True, slots=True)
class Link:
    """A reference that an input may have, or a list of them.

    Attributes:
        relation: `one`, or `linked` for a list of ids.
        target: the resource of the rows that are referred to.
        policy: which of its rows may be.
        known: which of them a caller may see; those that they may refer to, where nobody may see any.
        read_scope: what a caller needs to know which row is referred to.
        of_caller: whether the caller's own id is the default, and so always allowed.
        part: the owned list in whose items it is; None for the row itself.
    """

    relation: RelationPlan
    target: ResourcePlan
    policy: PolicyNode
    known: PolicyNode
    public_name: str
    read_scope: str | None = None
    of_caller: bool = False
    part: RelationPlan | None = None

    @property
    def name(self) -> str:
        """The name of its value in an input."""
        return self.relation.local_field if self.relation.kind == "one" else self.relation.name

    def sent(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What an input has of it: paths, and the digits of ids."""
        if self.part is None:
            yield from self._of(values, "")
            return
        for number, item in enumerate(values.get(self.part.name) or ()):
            yield from self._of(item, f"{self.part.input_name}.{number}.")

    def _of(self, values: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
        value = values.get(self.name)
        if self.relation.kind == "one":
            if value is not None:
                yield before + self.public_name, value
        else:
            for number, digits in enumerate(value or ()):
                yield f"{before}{self.public_name}.{number}", digits

    def present(self, document: Document | None, *, told: bool) -> set[str]:
        """The digits that the row has already, and its own: what a client was given can be sent back.

        Args:
            told: whether the caller may know which row is referred to.
        """
        if document is None:
            return set()
        rows: Sequence[Document] = [document] if self.part is None else document.get(self.part.public_name, [])
        ids = [row.get(self.public_name) for row in rows] if self.relation.kind == "one" and told else []
        ids.append(document["id"])
        return {digits for each in ids if each is not None and (digits := decode(self.target.prefix, each)) is not None}


def links_of(plan: Plan, name: str, version: Plan) -> tuple[Link, ...]:
    """Every reference that an input of a resource can have.

    Args:
        plan: of the newest version, whose values inputs have.
        version: of the one whose callers send them: what they see in it they may refer to.
    """
    resource = plan.by_name[name]
    found = [*_links(plan, resource, None, version)]
    for owned in resource.owned_relations:
        found += _links(plan, plan.by_name[owned.target], owned, version)
    return tuple(found)


def _links(plan: Plan, resource: ResourcePlan, part: RelationPlan | None, version: Plan) -> Iterator[Link]:
    for relation in resource.relations:
        reference = plan.reference_of(resource, relation)
        if relation.kind not in ("one", "linked") or (part is not None and relation.local_field == part.remote_field):
            continue
        target = plan.by_name[relation.target]
        seeing = version.by_name[target.name].seeing
        public_name = reference.public_name if reference is not None else relation.input_name
        if public_name is not None:
            own = reference is not None and reference.caller_default
            scope = reference.read_scope if reference is not None else None
            policy = relation.link or seeing
            # Where nobody can see the rows, those who may refer to them say all of a list.
            known = policy if seeing == DENY else seeing
            yield Link(relation, target, policy, known, public_name, scope, own, part)


async def keep_hidden(
    resource: str,
    known: Iterable[tuple[Link, Node]],
    values: dict[str, Any],
    reader: Reader,
    asking: Asking,
    row: str,
) -> None:
    """Adds to the lists of ids of an input those of the rows that are linked already and hidden from the caller, who
    could neither know of them nor send them.

    Args:
        known: the lists of ids that the input may have, with what a row must be for the caller to know of it.
        row: the digits of the one that is changed.
    """
    for link, node in known:
        if link.name not in values:
            continue
        query = Select(link.target.name, ("id",), where=every((Under(resource, link.relation.name, 0), Not(node))))
        rows = await reader.select(query, Arguments((row,), asking))
        hidden = [decode(link.target.prefix, found["id"]) for found in rows.documents]
        values[link.name] = [*values[link.name], *hidden]


async def refuse_hidden(
    links: Iterable[tuple[Link, Node]],
    values: Mapping[str, Any],
    reader: Reader,
    asking: Asking,
    scopes: frozenset[str],
    current: Document | None = None,
) -> None:
    """Looks up what an input refers to.

    Args:
        links: with what each asks of a row, once it is known who calls.
        scopes: of the caller.
        current: the row as it is, where one is changed.

    Raises:
        ReferenceNotFound: with the path of each reference to a row that the caller may not refer to.
    """
    refused: list[str] = []
    for link, node in links:
        sent = list(link.sent(values))
        if not sent:
            continue
        known = link.present(current, told=holds(link.read_scope, scopes))
        if link.of_caller and asking.subject is not None:
            known.add(decode(link.target.prefix, asking.subject) or "")
        sent = [(path, digits) for path, digits in sent if digits not in known]
        if not sent:
            continue
        wanted = list(dict.fromkeys(digits for _, digits in sent))
        query = Select(link.target.name, ("id",), where=every((Compare(("id",), "in", 0), node)))
        rows = await reader.select(query, Arguments((wanted,), asking))
        found = {decode(link.target.prefix, row["id"]) for row in rows.documents}
        refused += [path for path, digits in sent if digits not in found]
    if refused:
        raise ReferenceNotFound.at(refused)
