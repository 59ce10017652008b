"""What the running service answers to requests that are bad, and to such as no operation is for."""

from __future__ import annotations

from dataclasses import dataclass, field

from sternpost.gates.project import Project
from sternpost.gates.tried import service_of
from sternpost.plan.scopes import known_scopes
from sternpost.scratch.requests import Request, bad_requests, new_id, tenant_of
from sternpost.scratch.service import Reply, ScratchService

Asked = tuple[Request, Reply]


@dataclass(slots=True)
class Provoked:
    """Requests with their answers.

    Attributes:
        bad: such as have to be refused.
        other: such as provoke one error each.
        without_example: operations whose input nothing is known of that fits.
    """

    bad: list[Asked] = field(default_factory=list[Asked])
    other: list[Asked] = field(default_factory=list[Asked])
    without_example: list[str] = field(default_factory=list[str])


def provoked(project: Project) -> Provoked:
    """All of them, asked once for all criteria of a gate. Raises `StartupError` where the service does not start."""
    return project.once(_provoke)


def _provoke(project: Project) -> Provoked:
    service, plan, found = service_of(project), project.plan, Provoked()
    scopes = sorted(known_scopes(plan))
    for resource, operation in plan.operations.values():
        sent = list(bad_requests(plan, resource, operation))
        if not sent and (operation.takes is not None or operation.input is not None):
            found.without_example.append(operation.id)
        tenant = tenant_of(plan, resource.name)
        for number, request in enumerate(sent):  # each by a caller of its own: no limit by principal stops one
            token = service.token(f"gate-{operation.id}-{number}", scopes, tenant=tenant)
            found.bad.append((request, _asked(service, request, token)))
    found.other = [(request, _asked(service, request, None)) for request in _others(project)]
    found.other += _of_rows(project, service, scopes)
    return found


LIMITED = 429
"""A limit that several callers share has refused a request before anything of it was looked at."""


def _asked(service: ScratchService, request: Request, token: str | None) -> Reply:
    return service.ask(request.method, request.path, content=request.content, headers=request.headers, token=token)


def _others(project: Project) -> list[Request]:
    """Requests that provoke one error each, without credentials."""
    base = project.plan.base_path
    first = project.plan.resources[0].path if project.plan.resources else ""
    found = [Request("", "an address that does not exist", "GET", f"{base}/no-such-address", statuses=_only(404))]
    if project.plan.operations:
        found.append(
            Request("", "a method that does not exist", "PROPFIND", f"{base}/{first}", statuses=frozenset((405, 404)))
        )
        found.append(
            Request(
                "",
                "a token that is none",
                "GET",
                f"{base}/{first}",
                headers={"authorization": "Bearer none"},
                statuses=frozenset((401, 405)),
            )
        )
    return found


def _of_rows(project: Project, service: ScratchService, scopes: list[str]) -> list[Asked]:
    """Rows that do not exist."""
    found: list[Asked] = []
    for resource, operation in project.plan.operations.values():
        if operation.kind == "read":
            token = service.token("gate-reader", scopes, tenant=tenant_of(project.plan, resource.name))
            path = operation.path.replace("{id}", new_id(resource))
            request = Request(operation.id, "a row that does not exist", "GET", path, statuses=frozenset((404, 403)))
            found.append((request, _asked(service, request, token)))
    return found


def _only(status: int) -> frozenset[int]:
    return frozenset((status,))
