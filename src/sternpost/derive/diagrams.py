"""Context and container diagrams of the C4 model (c4model.com), in Mermaid's notation, drawn from a plan."""

from __future__ import annotations

from collections.abc import Iterator

from sternpost.plan.model import Plan
from sternpost.plan.policy import Scope, open_to_all, within

CONTEXT, CONTAINERS = "c4-context.mmd", "c4-containers.mmd"
DIAGRAMS = (CONTEXT, CONTAINERS)


def diagrams(plan: Plan) -> dict[str, str]:
    """The diagrams, by the names of their files."""
    return {CONTEXT: "\n".join(_context(plan)) + "\n", CONTAINERS: "\n".join(_containers(plan)) + "\n"}


def _context(plan: Plan) -> Iterator[str]:
    yield "C4Context"
    yield f"  title {_plain(_title(plan))}: the service among its neighbours"
    yield from _callers(plan)
    yield f'  System(service, "{_plain(_title(plan))}", "{_plain(plan.description)}")'
    if _asks(plan):
        yield '  System_Ext(issuer, "Identity provider", "Issues the tokens of callers")'
    if plan.external:
        yield '  SystemDb_Ext(database, "Database", "Existing tables, owned by others")'
    yield from (f'  Rel({name}, service, "{what}", "HTTPS, JSON")' for name, what in _calls(plan))
    if _asks(plan):
        yield '  Rel(service, issuer, "Reads the keys that tokens are verified with", "HTTPS")'
    if plan.external:
        yield '  Rel(service, database, "Reads and changes rows", "SQL")'


def _containers(plan: Plan) -> Iterator[str]:
    yield "C4Container"
    yield f"  title {_plain(_title(plan))}: what it is made of"
    yield from _callers(plan)
    yield f'  System_Boundary(service, "{_plain(_title(plan))}") {{'
    served = ", ".join(resource.path for resource in plan.resources if resource.operations)
    yield f'    Container(api, "Workers", "Python, Sternpost", "REST below {plan.base_path}: {_plain(served)}")'
    yield '    Container(ops, "Supervisor", "Python, Sternpost", "Starts the workers; metrics, limits and log levels")'
    if not plan.external:
        tables = f"{len(plan.resources)} tables" + (", and the outbox" if plan.emits else "")
        yield f'    ContainerDb(database, "Database", "PostgreSQL or SQLite", "{tables}")'
    yield "  }"
    if plan.external:
        yield '  SystemDb_Ext(database, "Database", "Existing tables, owned by others")'
    yield from (f'  Rel({name}, api, "{what}", "HTTPS, JSON")' for name, what in _calls(plan))
    yield '  Rel(ops, api, "Starts, watches and ends")'
    yield '  Rel(api, database, "Reads and changes rows", "SQL")'


def _title(plan: Plan) -> str:
    return plan.title or plan.name


def _asks(plan: Plan) -> bool:
    """Whether an operation asks who calls."""
    return any(not open_to_all(operation.policy) for _, operation in plan.operations.values())


def _callers(plan: Plan) -> Iterator[str]:
    if any(open_to_all(operation.policy) for _, operation in plan.operations.values()):
        yield '  Person_Ext(anybody, "Anybody", "Calls without credentials")'
    if _asks(plan):
        scopes = sorted({node.name for policy in plan.policies for node in within(policy) if isinstance(node, Scope)})
        held = f"Scopes: {', '.join(scopes)}" if scopes else "With a token"
        yield f'  Person(caller, "Callers", "{_plain(held)}")'
    if plan.api_keys:
        yield '  Person(program, "Programs", "With an API key")'


def _calls(plan: Plan) -> Iterator[tuple[str, str]]:
    operations = [operation for _, operation in plan.operations.values()]
    public = sum(open_to_all(operation.policy) for operation in operations)
    if public:
        yield "anybody", f"{public} operations"
    if _asks(plan):
        yield "caller", f"{len(operations)} operations, as their policies say"
    if plan.api_keys:
        yield "program", "As the scopes of the key say"


def _plain(text: str) -> str:
    """On one line, and without what the notation means by itself."""
    return " ".join(text.replace('"', "'").split())
