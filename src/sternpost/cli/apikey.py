"""API keys from the command line: made, listed, revoked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from sternpost.cli.database import on_storage
from sternpost.errors import StartupError
from sternpost.ports.keys import KeyStore, StoredKey

T = TypeVar("T")

out = Console(highlight=False)
apikey_cli = typer.Typer(help="API keys: for programs that call the service.", no_args_is_help=True)

App = Annotated[
    str | None,
    typer.Argument(
        help="The application as module:attribute; by default the one set in pyproject.toml", show_default=False
    ),
]


@apikey_cli.command()
def create(
    app: App = None,
    name: Annotated[str, typer.Option(help="What the key is used for")] = ...,  # pyright: ignore[reportArgumentType]
    sub: Annotated[str, typer.Option(help="The subject of the key: the id of a user, or any name")] = ...,  # pyright: ignore[reportArgumentType]
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A scope; can be repeated, or hold several scopes separated by spaces"),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant that the key acts for")] = None,
    days: Annotated[
        int | None, typer.Option(help="How long the key is valid; by default until it is revoked", min=1)
    ] = None,
) -> None:
    """Create a key and show it once; only its digest is stored."""
    from sternpost.auth.api_keys import expiry, make_key
    from sternpost.clock import SystemClock
    from sternpost.ids import new_hex

    now = SystemClock().now()
    scopes = tuple(dict.fromkeys(word for given in scope or () for word in given.split()))
    key, stored = make_key(
        name, sub, scopes, id=f"key_{new_hex()}", now=now, expires_at=expiry(now, days), tenant=tenant
    )
    _with_keys(app, lambda keys: keys.add(stored))
    out.print(f"[green bold]created[/] {stored.id}", soft_wrap=True)
    out.print(key, soft_wrap=True, markup=False)
    out.print("[dim]Save it now: the key itself is not stored and cannot be shown again.[/]", soft_wrap=True)


@apikey_cli.command(name="list")
def list_keys(app: App = None) -> None:
    """List the keys with their subjects, scopes and last use."""
    table = Table("id", "name", "key", "subject", "scopes", "created", "expires", "last used", "state", box=None)
    for key in _with_keys(app, lambda keys: keys.all()):
        table.add_row(
            key.id,
            key.name,
            f"{key.start}…",
            key.subject,
            " ".join(key.scopes) or "–",
            _shown(key.created_at),
            _shown(key.expires_at),
            _shown(key.last_used_at),
            _state(key),
        )
    out.print(table if table.row_count else "There are no API keys. Create one with: sternpost apikey create")


@apikey_cli.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id (key_…), as `list` shows it")],
    app: Annotated[str | None, typer.Option(help="The application as module:attribute")] = None,
) -> None:
    """Revoke a key. All processes reject it within seconds."""
    from sternpost.clock import SystemClock

    if not _with_keys(app, lambda keys: keys.revoke(id, SystemClock().now())):
        raise StartupError(f"There is no valid key {id}. See: sternpost apikey list")
    out.print(f"[green bold]revoked[/] {id}", soft_wrap=True)


def _with_keys(app: str | None, work: Callable[[KeyStore], Awaitable[T]]) -> T:
    from sternpost.app.loading import application_name, load_application
    from sternpost.cli.configuration import configure

    application = load_application(application_name(app))
    if not application.plan.api_keys:
        raise StartupError("The contract does not use API keys. Write Contract(…, api_keys=True)")
    configure(application, serving=False)
    return on_storage(application, lambda storage: work(storage.keys()))


def _shown(at: datetime | None) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _state(key: StoredKey) -> str:
    from sternpost.clock import SystemClock

    if key.revoked_at is not None:
        return "[red]revoked[/]"
    expired = key.expires_at is not None and key.expires_at <= SystemClock().now()
    return "[yellow]expired[/]" if expired else "[green]valid[/]"
