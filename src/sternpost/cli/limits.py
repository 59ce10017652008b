"""Rate limits from the command line: listed, and overridden for one caller, by the ops port of a service that runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from sternpost.cli.ops import ask, tell_silent
from sternpost.cli.output import out, print_json, shown
from sternpost.errors import StartupError

SECONDS_MAX = 30 * 86_400

limits_cli = typer.Typer(
    help="Rate limits of a service that runs, by its ops port (STERNPOST_OPS_HOST, _PORT and _TOKEN).",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]


@limits_cli.command("list")
def list_limits(as_json: AsJson = False) -> None:
    """List the limits of the contract."""
    found = ask("GET", "/limits")["limits"]
    if as_json:
        print_json(found)
        return
    _print_table(
        ("Limit", "Rule", "Counted by"),
        [(limit["id"], limit["rule"], ", ".join(limit["by"])) for limit in found],
        "no limits",
    )


@limits_cli.command()
def overrides(as_json: AsJson = False) -> None:
    """List the overrides that hold."""
    found = ask("GET", "/limits/overrides")["overrides"]
    if as_json:
        print_json(found)
        return
    rows: list[tuple[str, ...]] = []
    for override in found:
        quantity = f"× {override['factor']:g}" if "factor" in override else str(override["quantity"])
        caller = orjson.dumps(override["key"]).decode()
        rows.append((override["id"], override["limit"], caller, quantity, override["expires"], override["reason"]))
    _print_table(("Id", "Limit", "Caller", "Quantity", "Until", "Reason"), rows, "no overrides")


@limits_cli.command()
def override(
    limit: Annotated[str, typer.Argument(help="The id of the limit, as `limits list` shows it")],
    reason: Annotated[str, typer.Option(help="Why; it is logged")],
    seconds: Annotated[int, typer.Option(help="For how long", min=1, max=SECONDS_MAX)],
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom the limit counts; of several parts one for each, in the order of `limits list`, or a JSON object"
        ),
    ] = None,
    quantity: Annotated[int | None, typer.Option(help="Units in a period; 0 blocks the caller", min=0)] = None,
    factor: Annotated[float | None, typer.Option(help="What the quantity is multiplied by, instead", min=0)] = None,
) -> None:
    """Let one caller do more or less than a limit says, or nothing, for a time."""
    if (quantity is None) == (factor is None):
        raise StartupError("Give either --quantity or --factor")
    body = {
        "limit": limit,
        "key": _caller(key or []),
        "quantity": quantity,
        "factor": factor,
        "expires": seconds,
        "reason": reason,
    }
    answer = ask("PUT", "/limits/overrides", {name: value for name, value in body.items() if value is not None})
    made = answer["override"]
    out.print(f"[green bold]ok[/] {shown(made['id'])} until {shown(made['expires'])}")
    tell_silent(answer)


@limits_cli.command()
def restore(id: Annotated[str, typer.Argument(help="The id of the override, as `limits overrides` shows it")]) -> None:
    """End an override: the limit holds again as it is declared."""
    answer = ask("DELETE", f"/limits/overrides/{id}")
    out.print(f"[green bold]ok[/] {shown(answer['override']['limit'])}")
    tell_silent(answer)


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> None:
    """A table whose first columns are to be copied, so that nothing of them is cut or broken."""
    if not rows:
        out.print(none)
        return
    table = Table(*titles, box=None)
    for row in rows:
        table.add_row(*map(shown, row))
    out.table(table)


def _caller(keys: list[str]) -> Any:
    """The key as the port takes it. Raises `StartupError` for what begins like a JSON object and is none."""
    if len(keys) != 1 or not keys[0].startswith("{"):
        return keys[0] if len(keys) == 1 else keys or None
    try:
        return orjson.loads(keys[0])
    except orjson.JSONDecodeError as error:
        raise StartupError(f'--key {keys[0]} is no JSON object, such as {{"address": "203.0.113.9"}}') from error
