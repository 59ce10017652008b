"""`sternpost serve --workers N`: how it starts, and how real workers end with their supervisor."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.server import catches, environment, serving, told_to_go, wait_until
from tests.support.supervised import SERVICE, alive, children, pids, supervised, wait_for_lines


def test_all_workers_drain_at_once(tmp_path: Path) -> None:
    with supervised(tmp_path) as server, ThreadPoolExecutor() as threads:
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.terminate()
        wait_for_lines(server, "Shutting down", 2)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
        assert server.process.poll() is None
        (tmp_path / "release").touch()
        assert slow.result(20)[0] == 200
        assert server.process.wait(20) == 0


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with supervised(tmp_path) as server, ThreadPoolExecutor() as threads:
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.terminate()
        wait_for_lines(server, "Shutting down", 2)
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert time.monotonic() - started < 5
        assert told_to_go(slow.result(20))


@pytest.mark.slow
def test_requests_that_never_end_are_given_up_after_the_limit(tmp_path: Path) -> None:
    with supervised(tmp_path, STERNPOST_SHUTDOWN_SECONDS="1") as server, ThreadPoolExecutor() as threads:
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        started = time.monotonic()
        assert server.stop() == 0
        assert 0.9 < time.monotonic() - started < 8
        assert told_to_go(slow.result(20))


def test_workers_end_with_their_supervisor_and_finish_what_is_in_flight(tmp_path: Path) -> None:
    with supervised(tmp_path) as server, ThreadPoolExecutor() as threads:
        workers = set(pids(server).values())
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.kill()
        wait_for_lines(server, "Shutting down", 2)
        (tmp_path / "release").touch()
        assert slow.result(20)[0] == 200
        wait_until(lambda: not any(alive(pid) for pid in workers))


@pytest.mark.slow
def test_a_worker_that_hangs_at_its_start_ends_with_its_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = set(pids(server).values())
        (tmp_path / "hanging").touch()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: children(server.process.pid) - before)
        every = children(server.process.pid)
        new = next(iter(every - before))
        wait_until(lambda: b"worker" in Path(f"/proc/{new}/cmdline").read_bytes())
        wait_until(lambda: len(list(Path(f"/proc/{new}/task").iterdir())) > 1)  # it listens for its supervisor
        server.process.kill()
        wait_until(lambda: not any(alive(pid) for pid in every))


@pytest.mark.parametrize(
    "moment",
    [
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in ("signals are taken", "workers are started", "a worker hangs")
        ),
        "a worker serves",
    ],
)
def test_a_signal_while_they_start_ends_them_with_status_0(tmp_path: Path, moment: str) -> None:
    (tmp_path / "notes.py").write_text(SERVICE, encoding="utf-8")
    if moment == "a worker hangs":
        (tmp_path / "hanging").touch()
    env = environment(STERNPOST_DATABASE_URL=f"sqlite:///{tmp_path / 'x.sqlite'}", STERNPOST_PORT="0")
    command = [sys.executable, "-m", "sternpost", "serve", "notes:app", "--create-schema", "--workers", "2"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=output)
    reached = {
        "signals are taken": lambda: catches(process.pid, signal.SIGTERM),
        "workers are started": lambda: children(process.pid),
        "a worker hangs": (tmp_path / "hangs").exists,
        "a worker serves": lambda: '"message":"Worker started"' in log.read_text(encoding="utf-8"),
    }
    wait_until(reached[moment])
    process.terminate()
    assert process.wait(20) == 0


def test_a_first_start_that_fails_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "broken").touch()
    done = _serve(tmp_path)
    assert done.returncode == 2
    assert "it is broken" in done.stderr
    assert "did not start: it ended with status 1" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_first_start_that_hangs_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "hanging").touch()
    done = _serve(tmp_path, STERNPOST_WORKER_START_SECONDS="1")
    assert done.returncode == 2
    assert "it was not ready within 1 s" in " ".join(done.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_said_clearly_also_by_another_supervisor(tmp_path: Path, workers: str) -> None:
    with supervised(tmp_path) as server:
        done = _serve(tmp_path, STERNPOST_PORT=str(server.port), STERNPOST_WORKERS=workers)
        assert done.returncode == 2
        assert f"Cannot listen on 127.0.0.1:{server.port}" in done.stderr
        assert server.stop() == 0


@pytest.mark.slow
def test_the_setting_starts_workers_and_one_worker_needs_no_supervisor(tmp_path: Path) -> None:
    with serving("shop.app:app", tmp_path, STERNPOST_WORKERS="2") as server:
        server.wait_for("Workers are ready")
        assert server.stop() == 0
    with serving("shop.app:app", tmp_path, "--workers", "1", STERNPOST_WORKERS="2") as server:
        assert children(server.process.pid) == set()
        assert server.stop() == 0


def _serve(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'notes.sqlite'}",
        "STERNPOST_PORT": "0",
        "STERNPOST_WORKERS": "2",
        **env,
    }
    command = [sys.executable, "-m", "sternpost", "serve", "notes:app", "--create-schema"]
    return subprocess.run(
        command, cwd=folder, env=environment(**settings), capture_output=True, text=True, check=False, timeout=60
    )
