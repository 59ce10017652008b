"""`sternpost policy explain`: whether a caller may do something with a row, and which clause decides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sternpost.cli.claims import read_claims
from sternpost.cli.database import on_runtime
from sternpost.cli.output import out, shown
from sternpost.errors import StartupError

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost
    from sternpost.pipeline.authorize import Facts
    from sternpost.pipeline.judgement import Clause
    from sternpost.pipeline.runtime import BoundOperation, Runtime
    from sternpost.plan.query import Fact
    from sternpost.ports.authenticator import Principal
    from sternpost.ports.storage import Asking

policy_cli = typer.Typer(help="Who may do what, and why.", no_args_is_help=True)

ANONYMOUS = "anonymous"
_WORDS = {True: "[green]holds[/]", False: "[red]does not hold[/]", None: "[yellow]depends on the row[/]"}


@policy_cli.callback()
def policy() -> None:
    """Who may do what, and why."""


@policy_cli.command()
def explain(
    actor: Annotated[str, typer.Argument(help="Who calls: the sub of a token, such as usr_…, or anonymous")],
    operation: Annotated[str, typer.Argument(help="The operation, such as orders.update")],
    row: Annotated[
        str | None, typer.Argument(metavar="ID", help="The row that it is about", show_default=False)
    ] = None,
    app: Annotated[str | None, typer.Option(help="The application as module:attribute")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="A scope of the token; can be repeated")] = None,
    claim: Annotated[
        list[str] | None, typer.Option(help="A claim of the token, as name=value or name=JSON; can be repeated")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant that the caller acts for")] = None,
    api_key: Annotated[str | None, typer.Option(help="The id of the API key that is sent in place of a token")] = None,
) -> None:
    """Explain whether a caller may do something: each clause of the policy, the one that decides, and the answer."""
    from sternpost.app.loading import application_name, load_application
    from sternpost.cli.configuration import configure

    application = load_application(application_name(app))
    if operation not in application.plan.operations:
        known = ", ".join(application.plan.operations)
        raise StartupError(f"There is no operation {operation!r}; the operations are {known}")
    principal = _principal(application, actor, scope or [], claim or [], tenant, api_key)
    configure(application, serving=False)
    clause, answer = on_runtime(application, lambda runtime: judged(runtime, principal, operation, row))
    _print(clause, clause.deciding, "")
    out.print(f"\n[bold]answer[/]  {shown(answer)}")


async def judged(
    runtime: Runtime, principal: Principal | None, operation_id: str, row: str | None
) -> tuple[Clause, str]:
    """The policy of an operation clause by clause, and what the caller would be answered.

    Raises:
        StartupError: the operation is about a row, and none is given.
    """
    from sternpost.pipeline.judgement import Judge, facts_for
    from sternpost.plan.query import in_order
    from sternpost.ports.storage import Asking

    bound = runtime.operations[operation_id]
    policy = bound.plan.policy
    if row is None and bound.plan.on_item:
        raise StartupError(f"{operation_id} is about one row: give its id, such as {bound.resource.prefix}_…")
    asking = Asking(None if principal is None else principal.subject, runtime.clock.now(), principal)
    access, about_row = bound.access(principal), row is not None and (bound.plan.on_item or bound.plan.kind == "browse")
    facts = None
    if row is not None and about_row:
        wanted = facts_for(policy, principal) | access.facts
        facts = await _facts(runtime, bound, principal, asking, row, in_order(wanted))
    clause = Judge(bound.check, principal, asking, facts).clause(policy)
    denied = "403: the caller may not do this" if principal is not None else "401: it is not known who calls"
    if bound.tenanted is not None and not _has_tenant(runtime, bound, principal):
        return clause, "403: the caller acts for no tenant" if principal is not None else denied
    if access.refused or (bound.needs_caller and principal is None):
        return clause, denied
    if not about_row:
        answers = {True: f"{bound.plan.status}: allowed", False: denied, None: "that depends on the row"}
        return clause, answers[clause.holds]
    if facts is None:
        return clause, f"404: for this caller there is no {bound.resource.name} {row}"
    allowed = bound.check.allows(access.policy, facts, asking)
    if bound.plan.kind == "browse":
        return clause, "200: the row is in the list" if allowed else "200: the row is not in the list"
    if allowed:
        return clause, f"{bound.plan.status}: allowed"
    seen = bound.check.allows(access.seeing, facts, asking)
    if seen and bound.plan.kind == "restore":  # a deleted row is seen by nobody
        seen = await _facts(runtime, bound, principal, asking, row or "", (), deleted=False) is not None
    return clause, denied if seen else f"404: the caller may not see this {bound.resource.name}"


async def _facts(
    runtime: Runtime,
    bound: BoundOperation,
    principal: Principal | None,
    asking: Asking,
    row: str,
    facts: tuple[Fact, ...],
    *,
    deleted: bool = True,
) -> Facts | None:
    """What there is to know of a row; None where there is none for the caller."""
    from sternpost.ids import decode
    from sternpost.plan.query import Select
    from sternpost.ports.storage import Arguments

    reader = runtime.storage.reader(visibility=runtime.visibility(principal))
    if deleted and bound.plan.kind == "restore":
        reader = reader.with_deleted()
    digits = decode(bound.resource.prefix, row)
    query = Select(bound.resource.name, ("id",), facts=facts)
    found = None if digits is None else await reader.get(query, digits, Arguments(asking=asking))
    return None if found is None else found.facts


def _has_tenant(runtime: Runtime, bound: BoundOperation, principal: Principal | None) -> bool:
    from sternpost.errors import TenantRequired, Unauthenticated
    from sternpost.pipeline.execute import require_tenant

    assert bound.tenanted is not None, "it is asked only of rows of tenants"
    try:
        require_tenant(runtime, bound.tenanted, principal)
    except (TenantRequired, Unauthenticated):
        return False
    return True


def _principal(
    application: Sternpost,
    actor: str,
    scopes: list[str],
    claims: list[str],
    tenant: str | None,
    api_key: str | None,
) -> Principal | None:
    from sternpost.plan.scopes import expanded, is_pattern, known_scopes
    from sternpost.ports.authenticator import Principal

    if actor == ANONYMOUS:
        if scopes or claims or tenant or api_key:
            raise StartupError("A caller without credentials has no scopes, claims, tenant or API key")
        return None
    patterns = [each for each in scopes if is_pattern(each)]
    held = frozenset(each for each in scopes if not is_pattern(each)) | expanded(
        patterns, known_scopes(application.plan)
    )
    return Principal(actor, held, tenant, read_claims(claims), api_key)


def _print(clause: Clause, deciding: Clause, indent: str) -> None:
    from sternpost.plan.policy import AllOf, AnyOf, Named, describe

    match clause.node:
        case AllOf():
            text = "all of"
        case AnyOf():
            text = "any of"
        case Named(name, said, _):
            text = f"{name}: {said}"
        case node:
            text = describe(node)
    mark = "  [bold]← decides[/]" if clause is deciding else ""
    out.print(f"{indent}{shown(text)}  {_WORDS[clause.holds]}{mark}")
    for part in clause.parts:
        _print(part, deciding, indent + "  ")
