"""`make demo`: the shop with a database of its own, sample data, and a command to try at once."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from shop.app import app
from shop.seed import ORDERS, PRODUCTS, USERS, is_seeded, seed, user_id
from sternpost import Settings
from sternpost.app.server import serve
from sternpost.cli.configuration import development_settings, development_token
from sternpost.errors import StartupError, SternpostError

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
        if not await is_seeded(app):
            with Progress(console=console, transient=True) as progress:
                await seed(app, progress)
            console.print(f"seeded {USERS} users, {PRODUCTS} products, {ORDERS} orders")
    finally:
        await app.stop()


def announce(settings: Settings, port: int) -> None:
    """Where it is, and a command that works when pasted."""
    base = f"http://{settings.host}:{port}"
    # print, not rich: a line must stay one line to be pasted
    print(f"\nSternpost shop is ready on {base}", flush=True)
    print(f"API docs: {base}/docs    description: {base}/openapi.json", flush=True)
    if settings.jwt_secret is not None:
        token = development_token(settings, user_id(0), ["users:read", "orders:read"], 30 * 86_400)
        print(
            f"curl -s '{base}/api/v1/users?pageSize=3&sort=-createdAt' -H 'Authorization: Bearer {token}'\n", flush=True
        )
    else:
        print(f"curl -s '{base}/api/v1/products?pageSize=3'    # tokens come from STERNPOST_JWT_JWKS_URL\n", flush=True)


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
