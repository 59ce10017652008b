"""Deployments under load fail no request of a plain client: SIGHUP to a supervisor, and SIGTERM to one of two services,
also behind nginx and haproxy."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import not_run
from tests.process.test_shutdown import stopping, worst_lines
from tests.support.balancers import NoBalancer, balancer
from tests.support.load import Load, capacity, load
from tests.support.postgres import free_port
from tests.support.supervised import wait_for_lines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATH = "/api/v1/notes"
SHARE = float(os.environ.get("STERNPOST_LOAD_SHARE", "0.3"))
"""Of the requests a second that the same clients get answered where nothing is restarted. On a machine that does nothing
else it may be 0.7; beside other tests there is not so much left."""

ROUNDS = 2

GRACE_SECONDS = 2
"""The balancers here ask for readiness five times a second, or find out when they are refused."""

BALANCERS = ("nginx", "haproxy")


@contextmanager
def before(kind: str, *ports: int) -> Iterator[int]:
    """The port at which clients reach the services."""
    if kind == "nothing":
        yield ports[0]
        return
    with ExitStack() as stack:
        try:
            yield stack.enter_context(balancer(kind, ports))
        except NoBalancer as error:
            not_run(f"Behind {kind}", str(error))


def require_clean(clients: Load, rate: float, what: str) -> None:
    print(f"{what}, at {rate:.0f} requests a second: {clients.kinds}, the slowest {clients.slowest_ms:g} ms")
    assert clients.failed == {}, clients.kinds


@pytest.mark.parametrize("kind", ["nothing", *BALANCERS])
def test_a_rolling_restart_of_4_workers_fails_no_request(tmp_path: Path, kind: str) -> None:
    with stopping(tmp_path, workers=4) as server, before(kind, server.port) as port:
        rate = SHARE * capacity(port, PATH)
        with load(port, PATH, rate=rate) as clients:
            clients.wait_for(100)
            for number in range(ROUNDS):
                server.process.send_signal(signal.SIGHUP)
                wait_for_lines(server, "Rolling restart finished", number + 1, 200)
            clients.wait_for(100)
        require_clean(clients, rate, f"{ROUNDS} rolling restarts behind {kind}")
        assert server.stop() == 0
        assert worst_lines(server) == []


@pytest.mark.parametrize("kind", BALANCERS)
def test_stopping_one_of_two_services_fails_no_request(tmp_path: Path, kind: str) -> None:
    ports = free_port(), free_port()
    with ExitStack() as stack:
        folders = [tmp_path / "0", tmp_path / "1"]

        def start(number: int) -> ExitStack:
            folders[number].mkdir(exist_ok=True)
            env = {
                "STERNPOST_PORT": str(ports[number]),
                "STERNPOST_SHUTDOWN_GRACE_SECONDS": str(GRACE_SECONDS),
            }
            started = stack.enter_context(ExitStack())
            servers[number] = started.enter_context(stopping(folders[number], **env))
            return started

        servers = {}
        running = [start(0), start(1)]
        port = stack.enter_context(before(kind, *ports))
        rate = SHARE * capacity(port, PATH)
        with load(port, PATH, rate=rate) as clients:
            clients.wait_for(100)
            for number in [0, 1] * ROUNDS:
                assert servers[number].stop() == 0
                clients.wait_for(100)
                running[number].close()
                running[number] = start(number)
                clients.wait_for(round(rate))
        require_clean(clients, rate, f"{2 * ROUNDS} services stopped and started behind {kind}")
