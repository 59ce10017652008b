"""`make demo`: the shop with a database of its own, sample data, and a command to try at once."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

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

console = Console(highlight=False)


def demo_settings() -> Settings:
    """Every STERNPOST_* variable is respected; what is not set lives in DEMO_DIR."""
    folder = Path(os.environ.get("DEMO_DIR") or ".demo").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("STERNPOST_DATABASE_URL", f"sqlite:///{folder / 'shop.sqlite'}")
    if os.environ.get("PORT"):
        os.environ["STERNPOST_PORT"] = os.environ["PORT"]
    os.chdir(folder)  # the development secret is kept there, too
    return development_settings()


async def prepare() -> None:
    """Creates the schema and the data, where they are not there yet."""
    running = await app.start()
    try:
        await running.runtime.storage.create_schema()
        with console.status("seeding the shop"):
            filled = await run_seed(app, seed)
        added = [f"{entry.added} {entry.resource}" for entry in filled if entry.added]
        if added:
            console.print(f"seeded {', '.join(added)}")
    finally:
        await app.stop()


def announce(settings: Settings, port: int) -> None:
    """Where it is, and commands that work when pasted: reading, then writing an order, placing it and paying it."""
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
        ]
    else:
        lines.append(f"curl -s '{api}/products?pageSize=3'    # tokens come from STERNPOST_JWT_JWKS_URL")
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
