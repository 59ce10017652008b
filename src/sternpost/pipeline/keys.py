"""What an idempotency key stands for: by whom, for what and with what it was sent, as hashes of 32 bytes.

The id of a key covers all that its answer depends on beside the request: the operation, the caller, the tenant, and
those scopes and claims that this operation asks for. A token that was refreshed meanwhile, with a scope more that is
nothing to this operation, leads to the same id.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from struct import pack
from typing import Any

from sternpost.clock import Clock
from sternpost.pipeline.authorize import decided
from sternpost.pipeline.call import Call
from sternpost.plan.caller import OfCaller
from sternpost.plan.model import OperationPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import CallerIs, PolicyNode, of_caller, scopes, within
from sternpost.ports.authenticator import NO_SCOPES, Principal
from sternpost.ports.idempotency import AnswerStore, KeptAnswer
from sternpost.telemetry.measured import Tally

HASH_BYTES = 32

_NOTHING = (b"0",)

Waiter = asyncio.Future[KeptAnswer | None]
"""Is told what comes of another call: None for nothing that is kept."""


@dataclass(slots=True)
class Keys:
    """The keys of a service, for all versions of its API.

    Attributes:
        wait_seconds: how long a call waits for another one with its key.
        hours: for how long an answer is kept.
        tally: where it is counted what comes of changes with a key; None where nobody reads it.
        sleep, random: replaced in tests.
        running: what is being looked up or carried out in this process, by the id of its key, with who waits for it.
    """

    store: AnswerStore
    clock: Clock
    wait_seconds: float
    hours: float
    tally: Tally | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    running: dict[bytes, list[Waiter]] = field(init=False, default_factory=lambda: {})

    def count(self, event: str) -> None:
        """Counts what comes of a change with a key."""
        if self.tally is not None:
            self.tally[event,] += 1

    @property
    def kept_for(self) -> timedelta:
        return timedelta(hours=self.hours)


@dataclass(frozen=True, slots=True)
class Depends:
    """What of a caller the answer of an operation depends on, beside the id and the tenant; found when it is bound.

    Attributes:
        scopes: those that make a difference.
        asked: claims and the like that rows are compared with, and conditions on the caller.
    """

    scopes: frozenset[str] = frozenset()
    asked: tuple[OfCaller | CallerIs, ...] = ()

    def parts(self, principal: Principal) -> Sequence[bytes]:
        """What the caller has of it."""
        if not (self.scopes or self.asked):
            return _NOTHING
        held = sorted(self.scopes & principal.scopes)
        found = [b"%d" % len(held), *(scope.encode() for scope in held)]
        if self.asked:  # with what it answers, so that a policy that asks for more makes no new id for who has nothing
            answers = ((asked, self._answer(principal, asked)) for asked in self.asked)
            found += sorted(repr(pair).encode() for pair in answers if pair[1] not in (None, False))
        return found

    @staticmethod
    def _answer(principal: Principal, asked: OfCaller | CallerIs) -> object:
        return decided(principal, asked) if isinstance(asked, CallerIs) else asked.read(principal)

    @staticmethod
    def of(policies: Iterable[PolicyNode], members: Iterable[str | None] = ()) -> Depends:
        """What policies ask of a caller, and scopes that fields and references ask for."""
        found: dict[OfCaller | CallerIs, None] = {}
        named: set[str] = {scope for scope in members if scope is not None}
        for policy in policies:
            named.update(scopes(policy))
            conditions = [each for each in within(policy) if isinstance(each, CallerIs)]
            judged = {each.of for each in conditions}
            found.update(dict.fromkeys(conditions))
            found.update(dict.fromkeys(each for each in of_caller(policy) if each not in judged))
        return Depends(frozenset(named), tuple(found))

    @staticmethod
    def together(parts: Iterable[Depends]) -> Depends:
        """What several operations depend on, as those of a batch."""
        every = [*parts]
        asked = dict.fromkeys(each for part in every for each in part.asked)
        return Depends(NO_SCOPES.union(*(part.scopes for part in every)), tuple(asked))


NO_DEPENDENCE = Depends()


def depends_of(plan: Plan, newest: Plan, resource: str, operation: OperationPlan) -> Depends:
    """What the answer of an operation depends on: who may call it, which rows there are for whom, what of them is shown
    and may be set, and to which others they may refer.

    Args:
        plan: of the version that the operation belongs to.
        newest: where what inputs refer to is looked up.
    """
    policies: list[PolicyNode] = [operation.policy]
    members: list[str | None] = []
    seen: set[tuple[str, str]] = set()
    names = [resource] if operation.output_rows is None else [resource, operation.output_rows]
    for name in names:
        for version in (plan, newest):
            _collect(version, version.by_name.get(name), policies, members, seen)
    if operation.kind == "delete":  # what keeps the row is told as far as the caller may see it
        policies += [
            other.seeing
            for version in (plan, newest)
            for other in version.resources
            if any(field.references == resource for field in other.fields)
        ]
    return Depends.of(policies, members)


def _collect(
    plan: Plan,
    resource: ResourcePlan | None,
    policies: list[PolicyNode],
    members: list[str | None],
    seen: set[tuple[str, str]],
) -> None:
    if resource is None or (plan.api_version, resource.name) in seen:
        return
    seen.add((plan.api_version, resource.name))
    policies.append(resource.seeing)
    for shown in resource.shown:
        members += (shown.read_scope, shown.write_scope)
    for relation in resource.relations:
        members.append(relation.write_scope)
        target = plan.by_name.get(relation.target)
        if target is not None:
            policies += _of_target(relation, target)
        if relation.kind == "owned":
            _collect(plan, target, policies, members, seen)


def _of_target(relation: RelationPlan, target: ResourcePlan) -> Iterator[PolicyNode]:
    """What says which rows of a relation there are for a caller, to refer to and to count."""
    yield target.seeing
    if relation.link is not None:
        yield relation.link


def seed_of(api_version: str, operation: str) -> Any:
    """What all ids of the keys of an operation begin with, made when it is bound."""
    return _framed(blake2b(digest_size=HASH_BYTES), api_version.encode(), operation.encode())


def request_hash(call: Call) -> bytes:
    """What tells a request from others with the same key: what was sent, and the row that it is about."""
    row = b"" if call.id is None else call.id.encode()
    parents = () if call.parent is None else [part.encode() for part in call.parent]
    return _framed(blake2b(digest_size=HASH_BYTES), row, *parents, *call.sent).digest()


def key_id(seed: Any, depends: Depends, principal: Principal | None, key: str, request: bytes) -> bytes:
    """The id of a key. Of a caller without credentials nothing is known, so that the request is a part of it: two
    strangers share a key only where they ask for the very same.

    Args:
        seed: that of the operation.
    """
    if principal is None:
        return _framed(seed.copy(), b"anonymous", key.encode(), request).digest()
    subject = principal.subject.encode("utf-8", "surrogatepass")
    tenant = b"" if principal.tenant is None else b"=" + principal.tenant.encode("utf-8", "surrogatepass")
    return _framed(seed.copy(), b"subject", subject, tenant, key.encode(), *depends.parts(principal)).digest()


def _framed(into: Any, *parts: bytes) -> Any:
    """A hash (BLAKE2, RFC 7693) with parts added, behind their number and the length of each, so that no two lists of
    parts look alike."""
    into.update(pack(f">{len(parts) + 1}Q", len(parts), *map(len, parts)) + b"".join(parts))
    return into
