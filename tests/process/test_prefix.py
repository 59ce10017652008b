"""Real servers below a prefix: our own, uvicorn, and an outer application with and without a lifespan."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.server import Process, environment, running

UVICORN = r"running on http://127\.0\.0\.1:(\d+)"
STARTS = {
    "serve": (["sternpost", "serve", "shop.app:app", "--root-path", "/shop/"], r'"Ready".*"port":(\d+)'),
    "serve with workers": (
        ["sternpost", "serve", "shop.app:app", "--root-path", "/shop", "--workers", "2"],
        r'"Workers are ready".*"port":(\d+)',
    ),
    "uvicorn": (["uvicorn", "shop.app:app", "--root-path", "/shop", "--port", "0"], UVICORN),
    "mounted": (["uvicorn", "tests.support.below:with_lifespan", "--port", "0"], UVICORN),
    "mounted without lifespan": (["uvicorn", "tests.support.below:without_lifespan", "--port", "0"], UVICORN),
}
FEW = ("serve", "mounted")
"""Those of `make test`; the others are proved by `make test-slow`."""

SEEN = {"serve": ("", "/shop"), "serve with workers": ("", "/shop"), "uvicorn": ("",)}
"""What addresses begin with when they arrive; uvicorn puts the prefix before each by itself."""


@contextmanager
def started(name: str, folder: Path) -> Iterator[Process]:
    command, ready = STARTS[name]
    env = environment(STERNPOST_DATABASE_URL=f"sqlite:///{folder / 'prefix.sqlite'}", STERNPOST_PORT="0")
    subprocess.run(
        [sys.executable, "-m", "sternpost", "migrate", "apply", "shop.app:app"], env=env, cwd=folder, check=True
    )
    with running(["-m", *command], env, folder, ready) as process:
        yield process


@dataclass
class Answered:
    """An answer, read to its end."""

    status: int
    location: str | None
    body: bytes


def answered(process: Process, path: str, method: str = "GET", body: str | None = None) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
    connection.request(method, path, body, {"content-type": "application/json"} if body else {})
    response = connection.getresponse()
    found = Answered(response.status, response.getheader("location"), response.read())
    connection.close()
    return found


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in STARTS if name not in FEW)]
)
def test_everything_is_served_below_the_prefix(name: str, tmp_path: Path) -> None:
    with started(name, tmp_path) as process:
        for number, seen in enumerate(SEEN.get(name, ("/shop",))):
            user = f'{{"name": "Ann", "email": "ann{number}@shop.example"}}'
            made = answered(process, f"{seen}/api/v1/users", "POST", user)
            assert made.status == 201
            assert re.fullmatch(r"/shop/api/v1/users/usr_[0-9a-f]{32}", made.location or "")
            for path in ("/health", "/health/ready", "/docs", "/docs/assets/start.js", "/api/v1/products"):
                assert answered(process, seen + path).status == 200, seen + path
            assert b'data-url="/shop/openapi.json"' in answered(process, f"{seen}/docs").body
            described = answered(process, f"{seen}/openapi.json").body
            assert b'"servers":[{"url":"/shop"}]' in described
            assert answered(process, f"{seen}/api/v1/nothing").status == 404
        warned = any("Started by the first request" in line for line in process.lines)
        assert warned == (name == "mounted without lifespan")


def test_a_prefix_that_is_none_is_refused(tmp_path: Path) -> None:
    for options, more in ((["--root-path", "shop"], {}), ([], {"STERNPOST_ROOT_PATH": "/a b"})):
        refused = subprocess.run(
            [sys.executable, "-m", "sternpost", "serve", "shop.app:app", *options],
            env=environment(**more),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert refused.returncode == 2
        assert "must begin with a slash" in " ".join(refused.stderr.split())
