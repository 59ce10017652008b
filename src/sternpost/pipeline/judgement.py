"""A policy clause by clause: which of them hold for a caller and a row, and which one decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sternpost.pipeline.authorize import ALLOW, DENY, Facts, RowCheck, fold_for
from sternpost.plan.policy import AllOf, AnyOf, Named, PolicyNode, parts
from sternpost.plan.query import Fact, facts_of
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Asking


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a policy.

    Attributes:
        holds: None where that depends on a row, and none is known.
        parts: those that it is made of; none of a negation, which is judged as a whole.
    """

    node: PolicyNode
    holds: bool | None
    parts: tuple[Clause, ...]

    @property
    def deciding(self) -> Clause:
        """The smallest part from which it follows whether the whole holds."""
        if isinstance(self.node, AllOf | AnyOf) and self.holds is isinstance(self.node, AnyOf):
            return next(part for part in self.parts if part.holds is self.holds).deciding
        return self.parts[0].deciding if isinstance(self.node, Named) else self

    def unmet(self) -> Iterator[Named]:
        """The parts with a name because of which it does not hold; those within them are not told."""
        if self.holds is False:
            if isinstance(self.node, Named):
                yield self.node
            else:
                for part in self.parts:
                    yield from part.unmet()


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges policies for one caller, and one row if its facts are known."""

    check: RowCheck
    principal: Principal | None
    asking: Asking
    facts: Facts | None = None

    def clause(self, policy: PolicyNode) -> Clause:
        """The policy, and what it is made of."""
        return Clause(policy, self._holds(policy), tuple(map(self.clause, _clauses(policy))))

    def _holds(self, policy: PolicyNode) -> bool | None:
        folded = fold_for(policy, self.principal)
        if folded is ALLOW or folded is DENY:
            return folded is ALLOW
        if self.facts is None or not facts_of(folded) <= self.facts.keys():
            return None
        return self.check.allows(folded, self.facts, self.asking)


def facts_for(policy: PolicyNode, principal: Principal | None) -> frozenset[Fact]:
    """What has to be known of a row for every clause to be judged."""
    within = (facts_for(part, principal) for part in _clauses(policy))
    return facts_of(fold_for(policy, principal)).union(*within)


def _clauses(policy: PolicyNode) -> tuple[PolicyNode, ...]:
    return parts(policy) if isinstance(policy, AllOf | AnyOf | Named) else ()
