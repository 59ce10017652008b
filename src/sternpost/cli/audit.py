"""The audit trail on the command line: who changed what, and what it was before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from sternpost import exact_json
from sternpost.cli.database import on_storage
from sternpost.cli.output import out, print_json
from sternpost.errors import StartupError
from sternpost.ports.audit import AuditEntry, AuditQuery
from sternpost.visible import visible

audit_cli = typer.Typer(help="The audit trail: who changed what.", no_args_is_help=True)

VALUE_MAX = 60
"""Characters of a value in the table; `--json` has all of them."""

_COLORS = {"create": "green", "restore": "green", "link": "green", "delete": "red", "unlink": "red", "update": "yellow"}


@audit_cli.callback()
def audit() -> None:
    """The audit trail: who changed what."""


@audit_cli.command()
def show(
    row: Annotated[str | None, typer.Argument(help="Only this row, by its id (ord_…)", show_default=False)] = None,
    app: Annotated[str | None, typer.Option(help="The application as module:attribute")] = None,
    resource: Annotated[str | None, typer.Option(help="Only rows of this resource, such as Order")] = None,
    actor: Annotated[str | None, typer.Option(help="Only changes by this caller")] = None,
    operation: Annotated[str | None, typer.Option(help="Only changes by this operation, such as orders.update")] = None,
    request: Annotated[str | None, typer.Option(help="Only changes made in this request (req_…)")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only rows of this tenant")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only one action: create, update, delete, restore, link or unlink")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only changes at or after this time (ISO 8601; UTC if it has no zone)")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only changes before this time")] = None,
    limit: Annotated[int, typer.Option(help="The maximum number of entries", min=1)] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, with complete values")
    ] = False,
) -> None:
    """Show the recorded changes, newest first."""
    query = AuditQuery(
        resource, row, actor, operation, request, tenant, action, _instant(since), _instant(until), limit
    )
    found = _entries(app, query)
    if as_json:
        for entry in found:
            print_json(_plain(entry))
        return
    if not found:
        out.print("No recorded change matches.")
        return
    out.table(_table(found))
    if len(found) == limit:
        out.print(f"[dim]The newest {limit}; --limit shows more.[/]")


def _entries(app: str | None, query: AuditQuery) -> list[AuditEntry]:
    from sternpost.app.loading import application_name, load_application
    from sternpost.cli.configuration import configure

    application = load_application(application_name(app))
    if not application.plan.audited:
        raise StartupError("The contract has no audited resources. Write audit=True in the class line of a resource")
    if query.resource is not None and query.resource not in application.plan.audited:
        recorded = ", ".join(sorted(application.plan.audited))
        raise StartupError(f"{query.resource} is not audited; audited are: {recorded}")
    configure(application, serving=False)
    return on_storage(application, lambda storage: storage.audit_trail().entries(query))


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise StartupError(f"{text!r} is not a time; write 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _plain(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "actor": entry.actor,
        "operation": entry.operation,
        "requestId": entry.request_id,
        "action": entry.action,
        "resource": entry.resource,
        "rowId": entry.row_id,
        "tenant": entry.tenant,
        "before": entry.before,
        "after": entry.after,
    }


def _table(entries: list[AuditEntry]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("at", "who", "in", "what"):
        table.add_column(name, no_wrap=name == "at")
    table.add_column("changes", ratio=1)
    for entry in entries:
        what = Text.assemble(
            (entry.action, _COLORS[entry.action]), f" {visible(entry.resource)}\n", (visible(entry.row_id), "dim")
        )
        where = Text.assemble(visible(entry.operation or "–"), "\n", (visible(entry.request_id or ""), "dim"))
        at = f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        table.add_row(at, Text(visible(entry.actor or "–")), where, what, _changes(entry))
    return table


def _changes(entry: AuditEntry) -> Text:
    """A line for each value: what it was and what it became, or what there is of the two."""
    lines: list[Text] = []
    for name in dict.fromkeys((*(entry.before or ()), *(entry.after or ()))):
        parts = [_shown(side[name]) for side in (entry.before, entry.after) if side is not None and name in side]
        lines.append(Text.assemble((f"{visible(name)}: ", "bold"), " → ".join(parts)))
    return Text("\n").join(lines)


def _shown(value: Any) -> str:
    text = visible(value if isinstance(value, str) else exact_json.dumps(value).decode())
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"
