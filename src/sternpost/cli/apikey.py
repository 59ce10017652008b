"""API keys from the command line: made, listed, revoked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from sternpost.cli.database import on_storage
from sternpost.cli.output import errors, out, print_json, print_plain, shown
from sternpost.errors import StartupError
from sternpost.ports.keys import KeyStore, StoredKey

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost

T = TypeVar("T")

NAME_MAX = 256
"""Characters of a key's name."""

DAYS_MAX = 36_500
SCOPES_MAX = 1000

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
        typer.Option(
            help="A scope, or a pattern for those of the contract such as '*:read'; can be repeated, or hold several, "
            "separated by spaces"
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="The tenant that the key acts for; needed if the contract has tenants")
    ] = None,
    no_tenant: Annotated[
        bool, typer.Option("--no-tenant", help="The key acts for no tenant, so it only reaches what has none")
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(help="How long the key is valid; by default until it is revoked", min=1, max=DAYS_MAX),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the key and what is stored of it as JSON")] = False,
) -> None:
    """Create a key and show it once; only its digest is stored.

    Standard output is the key alone, so that it can be piped; all else goes to standard error.
    """
    from sternpost.auth.api_keys import expiry, make_key
    from sternpost.clock import SystemClock
    from sternpost.ids import new_hex

    application = _application(app)
    _refuse_text("--name", name, NAME_MAX)
    _refuse_subjects(sub, tenant)
    _refuse_missing_tenant(application, tenant, no_tenant)
    now = SystemClock().now()
    key, stored = make_key(
        name,
        sub,
        _scopes(application, scope or []),
        id=f"key_{new_hex()}",
        now=now,
        expires_at=expiry(now, days),
        tenant=tenant,
    )

    async def add(keys: KeyStore) -> None:
        if tenant is not None:
            await _refuse_unknown_tenant(application, tenant)
        await keys.add(stored)

    _with_keys(application, add)
    if as_json:
        print_json({"id": stored.id, "key": key, **_plain(stored, now)})
        return
    errors.print(f"[green bold]created[/] {stored.id}")
    print_plain(f"{key}\n")
    errors.print("[dim]Save it now: the key itself is not stored and cannot be shown again.[/]")


@apikey_cli.command(name="list")
def list_keys(
    app: App = None, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line")] = False
) -> None:
    """List the keys with their subjects, scopes and last use."""
    from sternpost.clock import SystemClock

    now = SystemClock().now()
    found = _with_keys(_application(app), lambda keys: keys.all())
    if as_json:
        for key in found:
            print_json({"id": key.id, **_plain(key, now)})
        return
    if not found:
        errors.print("There are no API keys. Create one with: sternpost apikey create")
        return
    table = Table("id", "name", "key", "subject", box=None)
    if any(key.tenant is not None for key in found):
        table.add_column("tenant")
    for title in ("scopes", "created", "expires", "last used", "state"):
        table.add_column(title)
    for column in table.columns:
        column.no_wrap = column.header in ("id", "key", "subject", "tenant")
    for key in found:
        tenants = () if len(table.columns) == 9 else (shown(key.tenant or "–"),)
        table.add_row(
            shown(key.id),
            shown(key.name),
            f"{shown(key.start)}…",
            shown(key.subject),
            *tenants,
            shown(" ".join(key.scopes) or "–"),
            _shown(key.created_at),
            _shown(key.expires_at),
            _shown(key.last_used_at),
            _STATES[_state(key, now)],
        )
    out.table(table)


@apikey_cli.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id (key_…), as `list` shows it")],
    app: Annotated[str | None, typer.Option(help="The application as module:attribute")] = None,
) -> None:
    """Revoke a key. All processes reject it within STERNPOST_API_KEY_CACHE_SECONDS."""
    from sternpost.clock import SystemClock

    if not _with_keys(_application(app), lambda keys: keys.revoke(id, SystemClock().now())):
        raise StartupError(f"There is no valid key {id}. See: sternpost apikey list")
    out.print(f"[green bold]revoked[/] {shown(id)}")


# -- parts


def _application(app: str | None) -> Sternpost:
    from sternpost.app.loading import application_name, load_application

    application = load_application(application_name(app))
    if not application.plan.api_keys:
        raise StartupError("The contract does not use API keys. Write Contract(…, api_keys=True)")
    return application


def _with_keys(application: Sternpost, work: Callable[[KeyStore], Awaitable[T]]) -> T:
    from sternpost.cli.configuration import configure

    configure(application, serving=False)
    return on_storage(application, lambda storage: work(storage.keys()))


def _scopes(application: Sternpost, given: list[str]) -> tuple[str, ...]:
    """The scopes of a key. Patterns are written out here, so that a key never gains a scope by a later contract."""
    from sternpost.plan.scopes import expanded, is_pattern, known_scopes

    found: dict[str, None] = {}
    known = known_scopes(application.plan)
    for word in [word for text in given for word in text.split()]:
        _refuse_text("--scope", word, NAME_MAX)
        fitting = sorted(expanded([word], known)) if is_pattern(word) else [word]
        if not fitting:
            raise StartupError(
                f"--scope {word} fits no scope of the contract, which has {', '.join(sorted(known)) or 'none'}"
            )
        found.update(dict.fromkeys(fitting))
    if len(found) > SCOPES_MAX:
        raise StartupError(f"--scope: a key can have at most {SCOPES_MAX} scopes, not {len(found)}")
    return tuple(found)


def _refuse_subjects(sub: str, tenant: str | None) -> None:
    from sternpost.auth.jwt import SUBJECT_MAX

    _refuse_text("--sub", sub, SUBJECT_MAX)
    if tenant is not None:
        _refuse_text("--tenant", tenant, SUBJECT_MAX)


def _refuse_text(option: str, text: str, length_max: int) -> None:
    if not 1 <= len(text) <= length_max or not text.isprintable() or not text.strip():
        raise StartupError(f"{option} must have 1 to {length_max} printable characters")


def _refuse_missing_tenant(application: Sternpost, tenant: str | None, no_tenant: bool) -> None:
    if tenant is not None and no_tenant:
        raise StartupError("--tenant and --no-tenant are both given. Give one of them.")
    tenanted = sorted(application.plan.tenanted)
    if tenant is None and not no_tenant and tenanted:
        raise StartupError(
            f"The contract has tenants ({', '.join(tenanted)}), and a key without a tenant is refused there. "
            "Give --tenant, or --no-tenant for a key that only uses what has no tenant."
        )


async def _refuse_unknown_tenant(application: Sternpost, tenant: str) -> None:
    """Raises `StartupError` for what cannot be a tenant of the contract, and for the id of no row."""
    from sternpost.plan.values import tenant_value

    plan = application.plan
    owners = [resource for resource in plan.resources if resource.tenant is not None]
    fitting = [resource for resource in owners if tenant_value(plan, resource, tenant) is not None]
    if owners and not fitting:
        raise StartupError(f"--tenant {tenant} cannot be a tenant of this contract: {_tenants(application)}")
    targets = {resource.fields_by_name[str(resource.tenant)].references for resource in fitting} - {None}
    async with application.data(tenants="all") as data:
        for target in sorted(map(str, targets)):
            if not await data.table(application.compiled.classes[target]).exists({"id": tenant}):
                raise StartupError(f"There is no {target} {tenant}. Give --tenant the id of one that exists.")


def _tenants(application: Sternpost) -> str:
    """What tenants are, in words."""
    plan, texts = application.plan, dict[str, None]()
    for resource in plan.resources:
        if resource.tenant is not None:
            field = resource.fields_by_name[resource.tenant]
            target = plan.by_name.get(field.references or "")
            texts[f"the id of one {target.name} ({target.prefix}_…)" if target else f"a {field.kind}"] = None
    return f"it is {' or '.join(texts)}"


def _plain(key: StoredKey, now: datetime) -> dict[str, Any]:
    """What is stored of a key, but for its digest."""
    return {
        "name": key.name,
        "start": key.start,
        "subject": key.subject,
        "tenant": key.tenant,
        "scopes": key.scopes,
        "createdAt": _instant(key.created_at),
        "expiresAt": _instant(key.expires_at),
        "revokedAt": _instant(key.revoked_at),
        "lastUsedAt": _instant(key.last_used_at),
        "state": _state(key, now),
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


_STATES = {"revoked": "[red]revoked[/]", "expired": "[yellow]expired[/]", "valid": "[green]valid[/]"}


def _state(key: StoredKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "valid"
