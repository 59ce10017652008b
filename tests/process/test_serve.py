"""A real server process: starts, stops, drains, crashes."""

from __future__ import annotations

import http.client
import json
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import forks
from tests.support.rounds import rounds
from tests.support.server import ROOT, catches, environment, running, send, serving, told_to_go, wait_until

SLOW = "tests.process.slow_service:app"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(tmp_path: Path, number: int) -> None:
    with serving("shop.app:app", tmp_path) as server:
        assert server.request("GET", "/health") == (200, {"status": "healthy"})
        assert server.stop(number) == 0


STARTING = """
from pathlib import Path
Path("importing").touch()
from shop.app import app
Path("imported").touch()
"""


@pytest.mark.parametrize("moment", ["signals are taken", "importing", "imported", "x.sqlite", "ready"])
def test_a_signal_while_it_starts_ends_it_with_status_0(tmp_path: Path, moment: str) -> None:
    (tmp_path / "starting.py").write_text(STARTING, encoding="utf-8")
    env = environment(STERNPOST_DATABASE_URL=f"sqlite:///{tmp_path / 'x.sqlite'}", STERNPOST_PORT="0")
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sternpost", "serve", "starting:app", "--create-schema"],
            env=env,
            cwd=tmp_path,
            stdout=output,
        )
    reached = {
        "signals are taken": lambda: catches(process.pid, signal.SIGTERM),
        "ready": lambda: '"message":"Ready"' in log.read_text(encoding="utf-8"),
    }
    wait_until(reached.get(moment, (tmp_path / moment).exists))
    process.terminate()
    assert process.wait(20) == 0


def test_sigterm_drains(tmp_path: Path) -> None:
    """Readiness falls, new connections are refused, the request in flight is answered, the status is 0."""
    with serving(SLOW, tmp_path, SLOW_FOLDER=str(tmp_path)) as server, ThreadPoolExecutor() as threads:
        idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        assert send(idle, "GET", "/health/ready")[0] == 200
        slow = threads.submit(server.request, "POST", "/api/v1/jobs/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.terminate()
        server.wait_for('"message":"Shutting down"')
        status, body = send(idle, "GET", "/health/ready")
        assert (status, body["status"], body["reason"]) == (503, "unhealthy", "the service is shutting down")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
        assert not slow.done()
        (tmp_path / "release").touch()
        status, body = slow.result(20)
        assert (status, body["data"]) == (200, {"done": True})
        assert server.process.wait(20) == 0
        told = [json.loads(line) for line in server.lines if line[:1] == "{"]
        assert [line for line in told if line["level"] not in ("debug", "info")] == []


def test_a_request_that_never_ends_is_given_up_after_the_limit(tmp_path: Path) -> None:
    with (
        serving(SLOW, tmp_path, SLOW_FOLDER=str(tmp_path), STERNPOST_SHUTDOWN_SECONDS="1") as server,
        ThreadPoolExecutor() as threads,
    ):
        slow = threads.submit(server.request, "POST", "/api/v1/jobs/wait")
        wait_until((tmp_path / "entered").exists)
        started = time.monotonic()
        assert server.stop() == 0
        assert 0.9 < time.monotonic() - started < 8
        assert told_to_go(slow.result(20))


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with serving(SLOW, tmp_path, SLOW_FOLDER=str(tmp_path)) as server, ThreadPoolExecutor() as threads:
        slow = threads.submit(server.request, "POST", "/api/v1/jobs/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.terminate()
        server.wait_for('"message":"Shutting down"')
        server.process.terminate()
        assert server.process.wait(10) == 0
        assert told_to_go(slow.result(20))


def test_a_bug_is_a_500_that_tells_nothing_and_a_log_line_that_tells_where(tmp_path: Path) -> None:
    with serving(SLOW, tmp_path, SLOW_FOLDER=str(tmp_path)) as server:
        status, body = server.request("POST", "/api/v1/jobs/crash")
        assert (status, body["error"]["code"]) == (500, "INTERNAL_ERROR")
        text = json.dumps(body)
        assert "SELECT" not in text
        assert "hunter2" not in text
        assert "Traceback" not in text
        line = json.loads(server.wait_for(r'^\{.*"message":"Unexpected ValueError".*').group(0))
        assert line["level"] == "error"
        assert "slow_service.py" in line["stack"]
        assert not any("hunter2" in printed for printed in server.lines)
        assert server.request("POST", "/api/v1/jobs/hurry")[0] == 504
        with closing(sqlite3.connect(tmp_path / "process.sqlite")) as database:
            assert database.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


def test_200_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    with serving("shop.app:app", tmp_path) as server, ThreadPoolExecutor(200) as threads:
        gate = threading.Barrier(200)

        def write(number: int) -> int:
            gate.wait(30)
            return server.request("POST", "/api/v1/users", {"name": f"U{number}", "email": f"u{number}@shop.example"})[
                0
            ]

        assert set(threads.map(write, range(200))) == {201}
        assert server.stop() == 0
    with closing(sqlite3.connect(tmp_path / "process.sqlite")) as database:
        assert database.execute("SELECT count(DISTINCT email) FROM users").fetchone() == (200,)


@rounds(1, 15)
def test_kill_9_during_writes_leaves_no_half_written_order_and_loses_no_acknowledged_one(
    tmp_path: Path, rounds: int
) -> None:
    acknowledged: list[str] = []
    for round_number in range(rounds):
        with serving("shop.app:app", tmp_path) as server:
            admin = _token("admin", "users:admin", "orders:admin", "products:write")
            user = server.request("POST", "/api/v1/users", {"name": "A", "email": f"a{round_number}@shop.example"})[1][
                "data"
            ]["id"]
            products = [
                server.request(
                    "POST",
                    "/api/v1/products",
                    {"sku": f"S{round_number}-{n}", "name": "P", "priceCents": 10 * n + 1},
                    admin,
                )[1]["data"]["id"]
                for n in range(3)
            ]
            body = {"userId": user, "items": [{"productId": product, "quantity": 2} for product in products]}
            stopped = threading.Event()

            def write(
                server: Any = server, body: Any = body, admin: str = admin, stopped: threading.Event = stopped
            ) -> None:
                while not stopped.is_set():
                    try:
                        status, answer = server.request("POST", "/api/v1/orders", body, admin)
                    except (OSError, http.client.HTTPException, json.JSONDecodeError):
                        return
                    assert status == 201
                    acknowledged.append(answer["data"]["id"].removeprefix("ord_"))

            writers = [threading.Thread(target=write) for _ in range(8)]
            before = len(acknowledged)
            for writer in writers:
                writer.start()
            wait_until(lambda before=before: len(acknowledged) > before + 20 + 7 * round_number)  # noqa: B023
            server.process.kill()
            stopped.set()
            for writer in writers:
                writer.join(30)
    assert len(acknowledged) > 20 * rounds
    with closing(sqlite3.connect(tmp_path / "process.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = {row[0] for row in database.execute("SELECT id FROM orders")}
        assert set(acknowledged) <= stored
        half = database.execute(
            "SELECT o.id FROM orders o LEFT JOIN order_items i ON i.order_id = o.id GROUP BY o.id "
            "HAVING count(i.id) <> 3 OR sum(i.quantity * i.unit_price_cents) <> o.total_cents"
        ).fetchall()
        assert half == []


def test_the_port_in_use_is_said_clearly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _sternpost("serve", "shop.app:app", cwd=tmp_path, STERNPOST_PORT=port)
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"STERNPOST_JWT_SECRET": ""}, "Set STERNPOST_JWT_SECRET to at least 32 random bytes"),
        ({"STERNPOST_JWT_SECRET": "short"}, "it has 5 bytes, fewer than 32"),
        ({"STERNPOST_JWT_SECRET": "a" * 64}, "it consists of only a few different characters"),
        ({"STERNPOST_JWT_SECRET": "changeme-changeme-changeme-0123456789"}, 'it contains "changeme"'),
        ({"STERNPOST_PORT": "x"}, "STERNPOST_PORT"),
        ({"STERNPOST_DATABASE_URL": "mysql://x"}, "unknown scheme 'mysql'"),
    ],
)
def test_production_refuses_what_is_unsafe_and_says_what_to_set(tmp_path: Path, env: dict[str, str], said: str) -> None:
    done = _sternpost("serve", "shop.app:app", cwd=tmp_path, STERNPOST_ENV="production", **env)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_secrets_come_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-a-file-5d0c9e1b7a3f2468ace0\n")
    env = {"STERNPOST_JWT_SECRET": "", "STERNPOST_JWT_SECRET_FILE": str(secret), "STERNPOST_ENV": "production"}
    token = _sternpost("token", "--sub", "admin", "--scope", "products:write", cwd=tmp_path, **env).stdout
    with serving("shop.app:app", tmp_path, **env) as server:
        status, _ = server.request(
            "POST", "/api/v1/products", {"sku": "A", "name": "B", "priceCents": 1}, token.strip()
        )
        assert status == 201
    both = _sternpost("token", "--sub", "x", cwd=tmp_path, STERNPOST_JWT_SECRET_FILE=str(secret))
    assert both.returncode == 2
    missing = _sternpost(
        "token", "--sub", "x", cwd=tmp_path, STERNPOST_JWT_SECRET="", STERNPOST_JWT_SECRET_FILE="/nowhere"
    )
    assert "cannot be read" in missing.stderr


def test_token_prints_a_token_and_nothing_else(tmp_path: Path) -> None:
    done = _sternpost("token", "--sub", "usr_x", "--scope", "a:b c:d", "--scope", "e:f", cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert len(done.stdout.strip().split(".")) == 3


def test_the_demos_commands_write_an_order_place_it_and_pay_it(tmp_path: Path) -> None:
    env = environment(DEMO_DIR=str(tmp_path / "demo"), PORT="0")
    del env["STERNPOST_JWT_SECRET"]
    with running(["-m", "shop.demo"], env, ROOT, r"is ready on http://127.0.0.1:(\d+)") as demo:
        demo.wait_for(r"/pay ")
        start = demo.lines.index("An order, placed and paid:")
        pasted = demo.lines[start + 1 : start + 6]
        done = subprocess.run(["sh", "-e"], input="\necho\n".join(pasted), capture_output=True, text=True, check=True)
        made, placed, paid = (json.loads(line)["data"] for line in done.stdout.splitlines() if line)
        assert (made["status"], placed["status"], paid["status"]) == ("draft", "placed", "paid")
        assert made["id"] == placed["id"] == paid["id"]
        twice = "\n".join([pasted[0], demo.wait_for(r"^KEY=.*").group(0), demo.wait_for(r"^for n in 1 2.*").group(0)])
        first, second = _answers(subprocess.check_output(["sh", "-e"], input=twice, text=True))
        assert (first.pop("idempotent-replayed", None), second.pop("idempotent-replayed", None)) == (None, "true")
        assert (first, json.loads(second["body"])["data"]["status"]) == (second, "draft")
        loop = demo.wait_for(r"^for n in \$.*").group(0)
        many = "\n".join([pasted[0], pasted[2], loop])
        again = subprocess.run(["sh", "-e"], input=many, capture_output=True, text=True, check=True).stdout.split()
        assert (again[0], again[-1]) == ("409", "429"), again
        metrics = subprocess.check_output(["sh", "-e"], input=demo.wait_for(r"^curl .*/metrics.*").group(0), text=True)
        assert 'sternpost_requests_total{operation="orders.create",outcome="ok"} 3.0' in metrics
        token = pasted[0].removeprefix("TOKEN=")
        product = {"sku": "SKU-9999", "name": "Door", "priceCents": 100}
        assert demo.request("POST", "/api/v1/products", product, token)[0] == 201
        assert demo.stop(signal.SIGINT) == 0


def _answers(printed: str) -> list[dict[str, str]]:
    """Answers as `curl -i … | grep` prints them, without their request ids."""
    found: list[dict[str, str]] = []
    for line in printed.splitlines():
        if line.startswith("HTTP"):
            found.append({"status": line.strip()})
        elif line.startswith("{"):
            answer = json.loads(line)
            del answer["meta"]["requestId"]
            found[-1]["body"] = json.dumps(answer)
        else:
            name, _, value = line.partition(":")
            found[-1][name.lower()] = value.strip()
    return found


def test_the_demo_starts_prints_a_working_command_and_starts_again_quickly(tmp_path: Path) -> None:
    env = environment(DEMO_DIR=str(tmp_path / "demo"), PORT="0")
    del env["STERNPOST_JWT_SECRET"]
    for _ in range(2):
        before = children_cpu_seconds()
        with running(["-m", "shop.demo"], env, ROOT, r"is ready on http://127.0.0.1:(\d+)") as demo:
            command = demo.wait_for(r"^curl .*").group(0)
            answer = json.loads(subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout)
            assert (len(answer["data"]), answer["meta"]["totalCount"]) == (3, 200)
            assert demo.request("GET", "/api/v1/products")[1]["meta"]["totalCount"] == 50
            assert [line for line in demo.lines if '"level":"warning"' in line or '"level":"error"' in line] == []
            assert demo.stop(signal.SIGINT) == 0
    again = children_cpu_seconds() - before
    with serving("shop.app:app", tmp_path, fresh=True) as plain:
        assert plain.stop() == 0
    assert again < 2.5 * (children_cpu_seconds() - before - again), "it starts again much as a server without data does"


def children_cpu_seconds() -> float:
    """What all processes have used that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _token(subject: str, *scopes: str) -> str:
    done = _sternpost("token", "--sub", subject, "--scope", " ".join(scopes), cwd=ROOT)
    return done.stdout.strip()


def _sternpost(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return forks.run(arguments, cwd, environment(**env))
