"""`make demo`: the shop with a database of its own, sample data, and a command to try at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from shop.app import app
from shop.seed import product_id, seed, user_id
from sternpost import Settings
from sternpost.app.seeding import run_seed
from sternpost.app.server import serve
from sternpost.cli.configuration import development_settings, development_token
from sternpost.errors import StartupError, SternpostError

SCOPES = ["users:*", "products:*", "orders:*"]
"""The demo's token may read and write everything, place orders and pay them."""

OPS_PORT = 9000
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own variable for where traces, log lines and metrics go."""

console = Console(highlight=False)


def demo_settings() -> Settings:
    """Every STERNPOST_* variable is respected; what is not set lives in DEMO_DIR."""
    folder = Path(os.environ.get("DEMO_DIR") or ".demo").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # sternpost: allow[state] the demo is a program of its own, which reads its settings once behind this
    os.environ.setdefault("STERNPOST_DATABASE_URL", f"sqlite:///{folder / 'shop.sqlite'}")
    if os.environ.get("PORT"):
        # sternpost: allow[state] as above
        os.environ["STERNPOST_PORT"] = os.environ["PORT"]
    os.chdir(folder)  # the development secret is kept there, too
    settings = development_settings()
    if settings.ops_token is not None:
        return settings
    port = settings.ops_port if "ops_port" in settings.model_fields_set else free_ops_port()
    return settings.model_copy(update={"ops_token": SecretStr(secrets.token_hex(32)), "ops_port": port})


def free_ops_port() -> int:
    """The usual port of those who run a service, or another one where that is taken."""
    for port in (OPS_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
    return OPS_PORT


async def prepare() -> None:
    """Creates the schema and the data, where they are not there yet."""
    async with app.opened() as storage:  # a start would warn that the schema is missing
        await storage.create_schema()
    await app.start()
    try:
        with console.status("seeding the shop"):
            filled = await run_seed(app, seed)
        added = [f"{entry.added} {entry.resource}" for entry in filled if entry.added]
        if added:
            console.print(f"seeded {', '.join(added)}")
    finally:
        await app.stop()


def announce(settings: Settings, port: int) -> None:
    """Where it is, and commands that work when pasted: reading, writing an order, placing and paying it, sending one
    twice with a key, and meeting a limit."""
    base = f"http://{settings.host}:{port}"
    api = f"{base}/api/v1"
    lines = [f"Sternpost shop is ready on {base}", f"API docs: {base}/docs    description: {base}/openapi.json"]
    if settings.jwt_secret is not None:
        token = development_token(settings, user_id(0), SCOPES, 30 * 86_400)
        caller = '-H "Authorization: Bearer $TOKEN"'
        item = f'{{"items": [{{"productId": "{product_id(0)}", "quantity": 1}}]}}'
        lines += [
            f"curl -s '{api}/users?pageSize=3&sort=-createdAt' -H 'Authorization: Bearer {token}'",
            "",
            "An order, placed and paid:",
            f"TOKEN={token}",
            f"curl -s {api}/orders {caller} -H 'Content-Type: application/json' -d '{item}'",
            f"ORDER=$(curl -s '{api}/orders?pageSize=1&sort=-createdAt&fields=id' {caller} | cut -d '\"' -f 6)",
            f"curl -s -X POST {api}/orders/$ORDER/place {caller}",
            f"curl -s -X POST {api}/orders/$ORDER/pay {caller}",
            "",
            "An order sent twice with one key. The second answer is the first one again, and there is one order:",
            "KEY=order-$(date +%s)",
            f'for n in 1 2; do curl -si {api}/orders {caller} -H "Idempotency-Key: $KEY" '
            f"-H 'Content-Type: application/json' -d '{item}' | grep -i '^HTTP\\|^idempotent\\|^{{'; done",
            "",
            "Paid again and again, until the rate limit of the operation refuses it (429):",
            f"for n in $(seq 25); do curl -s -o /dev/null -w '%{{http_code}} ' -X POST {api}/orders/$ORDER/pay {caller}; "
            "done; echo",
        ]
    else:
        lines.append(f"curl -s '{api}/products?pageSize=3'    # tokens come from STERNPOST_JWT_JWKS_URL")
    if settings.ops_token is not None:
        token, ops = settings.ops_token.get_secret_value(), f"http://{settings.ops_host}:{settings.ops_port}"
        lines += [
            "",
            f"What was measured, as Prometheus reads it: {ops}/metrics, with a token of its own:",
            f"curl -s -H 'Authorization: Bearer {token}' {ops}/metrics | grep -v '^#'",
        ]
    endpoint = os.environ.get(OTLP)
    if endpoint:
        lines += ["", f"Traces, log lines and metrics are sent by OTLP to {endpoint} ({OTLP})."]
    else:
        as_started = "".join(f"{name}={os.environ[name]} " for name in ("PORT", "DEMO_DIR") if os.environ.get(name))
        lines += [
            "",
            "Traces go nowhere yet. To see the span of each request in a collector or in Jaeger on port 4318:",
            f"{sys.executable} -m pip install 'sternpost[otel]'",
            f"{OTLP}=http://127.0.0.1:4318 {as_started}make demo",
        ]
    # print, not rich: a line must stay one line to be pasted
    print("", *lines, "", sep="\n", flush=True)


def main() -> int:
    """Runs the demo until Ctrl-C."""
    try:
        settings = demo_settings()
        app.use(settings)
        asyncio.run(prepare())
        return serve(app, settings, lambda port: announce(settings, port))
    except SternpostError as error:
        reason = error.log.get("reason", error.message)
        print(f"error: the database cannot be used: {reason}", file=sys.stderr)
    except StartupError as error:
        print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
