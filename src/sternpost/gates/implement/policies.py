"""I06: who may do what, asked of the running service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project
from sternpost.gates.provoked import LIMITED
from sternpost.gates.tried import service_of
from sternpost.pipeline.authorize import fold_for
from sternpost.plan.model import OperationPlan, ResourcePlan
from sternpost.plan.query import ALL as ALLOW
from sternpost.plan.query import NONE as DENY
from sternpost.plan.scopes import known_scopes
from sternpost.ports.authenticator import Principal
from sternpost.scratch.requests import Request, tenant_of, valid_request
from sternpost.scratch.rows import RowMaker
from sternpost.scratch.service import ScratchService

Expected = Literal["refused as unknown", "refused as known", "let in", "depends on the row"]

_SUBJECT = "gate-{operation}-{actor}"
_FIX = "look at allow= of the operation, and at middleware and authenticators of the application"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Attributes:
        scopes: of the token; None without one.
        kind: of the token.
    """

    name: str
    scopes: tuple[str, ...] | None
    kind: Literal["valid", "forged", "expired", "unsigned"] = "valid"


def actors(scopes: list[str]) -> Iterator[Actor]:
    """Everybody who is tried."""
    yield Actor("nobody", None)
    yield Actor("a forged token", tuple(scopes), "forged")
    yield Actor("an expired token", tuple(scopes), "expired")
    yield Actor("an unsigned token", tuple(scopes), "unsigned")
    yield Actor("no scopes", ())
    for scope in scopes:
        yield Actor(scope, (scope,))
    if len(scopes) > 1:
        yield Actor("all scopes", tuple(scopes))


@dataclass(frozen=True, slots=True)
class Cell:
    """An operation and somebody who asks for it."""

    resource: ResourcePlan
    operation: OperationPlan
    actor: Actor
    tenant: str | None
    expected: Expected
    sees_row: bool
    """Whether there is a row, and they see every row."""


def _check(project: Project) -> Answer:
    plan, service = project.plan, service_of(project)
    scopes = sorted(known_scopes(plan))
    everybody = list(actors(scopes))
    maker = RowMaker(plan, service, scopes)
    maker.make_one_of_each()
    rows = {name: row.id for name, row in maker.first.items()}
    cells = [
        _cell(project, resource, operation, actor, resource.name in rows)
        for resource, operation in plan.operations.values()
        for actor in everybody
    ]
    # Who is let in may remove the row, so all who are refused come before.
    cells.sort(key=lambda cell: not cell.expected.startswith("refused"))
    findings: list[Finding] = []
    counts = {"refused": 0, "let in": 0, "limited": 0}
    for cell in cells:
        request = valid_request(plan, cell.resource, cell.operation, rows)
        if request is None:
            findings.append(Finding(f"operation {cell.operation.id}", "no example of its input is known", _EXAMPLE))
            continue
        status = _asked(service, request, cell)
        counts["limited" if status == LIMITED else "refused" if status in (401, 403) else "let in"] += 1
        problem = _problem(cell, status)
        if problem is not None:
            findings.append(Finding(f"operation {cell.operation.id}", f"{cell.actor.name}: {problem}", _FIX))
    without = sorted({cell.resource.name for cell in cells if cell.operation.on_item} - set(rows))
    told = f", {counts['limited']} refused by a rate limit" if counts["limited"] else ""
    told += f"; no row could be made of {', '.join(without)}" if without else ""
    return judged(
        f"{counted(len(cells), 'pair')} of {counted(len(everybody), 'actor')} and "
        f"{counted(len(plan.operations), 'operation')}: {counts['refused']} refused, {counts['let in']} let in{told}",
        list(dict.fromkeys(findings)),
    )


_EXAMPLE = "give it example={…}"


def _cell(project: Project, resource: ResourcePlan, operation: OperationPlan, actor: Actor, has_row: bool) -> Cell:
    tenant = tenant_of(project.plan, resource.name)
    reads = next((each for each in resource.operations if each.kind == "read"), None)
    sees = has_row and reads is not None and expected_of(reads, actor, tenant) == "let in"
    return Cell(resource, operation, actor, tenant, expected_of(operation, actor, tenant), sees)


def expected_of(operation: OperationPlan, actor: Actor, tenant: str | None) -> Expected:
    """What the contract says of an actor."""
    if actor.kind != "valid":
        return "refused as unknown"  # credentials that are sent must be valid, also for public operations
    principal = None
    if actor.scopes is not None:
        subject = _SUBJECT.format(operation=operation.id, actor=actor.name)
        principal = Principal(subject, frozenset(actor.scopes), tenant)
    folded = fold_for(operation.policy, principal)
    if principal is None and tenant is not None:
        return "refused as unknown"
    if folded == DENY:
        return "refused as unknown" if principal is None else "refused as known"
    return "let in" if folded == ALLOW else "depends on the row"


def _asked(service: ScratchService, request: Request, cell: Cell) -> int:
    token, actor = None, cell.actor
    if actor.scopes is not None:
        subject = _SUBJECT.format(operation=cell.operation.id, actor=actor.name)
        seconds = -60 if actor.kind == "expired" else 600
        token = service.token(subject, actor.scopes, tenant=cell.tenant, seconds=seconds)
        head, payload, signature = token.split(".")
        if actor.kind == "forged":
            token = f"{head}.{payload}.{signature[::-1]}"
        elif actor.kind == "unsigned":
            token = f"{_UNSIGNED}.{payload}."
    return service.ask(
        request.method, request.path, content=request.content, headers=request.headers, token=token
    ).status


_UNSIGNED = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
"""`{"alg":"none","typ":"JWT"}`"""


def _problem(cell: Cell, status: int) -> str | None:
    if status == LIMITED:  # before it was looked at who calls; nobody was let in
        return None
    if status >= 500:
        return f"answered {status}"
    match cell.expected:
        case "refused as unknown":
            return None if status == 401 else f"answered {status}, not 401"
        case "refused as known":
            # for who does not see a row, there is none (docs/decisions/not-found-before-forbidden.md)
            hidden = cell.operation.on_item and not cell.sees_row
            if status == 403 or (status == 404 and hidden):
                return None
            return f"answered {status}, not 403" + (" or 404" if hidden else "")
        case "let in":
            return f"answered {status}, although the contract lets them in" if status in (401, 403) else None
        case "depends on the row":
            return f"answered {status}, although it is known who calls" if status == 401 else None


CRITERION = Criterion(
    "I06",
    "The running service lets in exactly whom the contract lets in",
    "A policy in the contract is worth nothing where middleware, an authenticator or a mounted "
    "application goes past it.",
    "Remove what lets callers past the policies of the contract, or keeps them out before these are asked.",
    _check,
)
