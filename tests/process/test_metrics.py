"""`/metrics` of real processes: workers that are killed, stopped and replaced while others read."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import not_run
from tests.support.measured import OPS_TOKEN, samples
from tests.support.promtool import NoPromtool, check
from tests.support.server import Process, serving, wait_until
from tests.support.supervised import pids, supervised, wait_for_lines, who

OPS = {"STERNPOST_OPS_TOKEN": OPS_TOKEN, "STERNPOST_OPS_PORT": "0", "STERNPOST_WORKER_SILENT_SECONDS": "60"}
COUNTERS = ("_total", "_bucket", "_count", "_sum")
CALLS = ("sternpost_requests_total", "notes.who", "ok")


def scrape(server: Process, token: str = OPS_TOKEN, accept: str = "text/plain") -> tuple[int, str]:
    port = wait_for_lines(server, "The ops port is open", 1)[0]["port"]
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", "/metrics", headers={"authorization": f"Bearer {token}", "accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def measured(server: Process) -> dict[tuple[str, ...], float]:
    status, text = scrape(server)
    assert status == 200, text
    return samples(text)


class Watch:
    """Reads the metrics all the time, and notes counters that fall or vanish."""

    def __init__(self, server: Process) -> None:
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.fell: list[str] = []
        self.reads = 0

    def _read(self) -> None:
        before: dict[tuple[str, ...], float] = {}
        while not self._ended.is_set():
            found = measured(self._server)
            for name, value in before.items():
                if name[0].endswith(COUNTERS) and found.get(name, -1.0) < value - 1e-9:
                    self.fell.append(f"{name}: {value} -> {found.get(name)}")
            before = found
            self.reads += 1
            self._ended.wait(0.02)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join(60)


def both_answer(server: Process) -> bool:
    found = measured(server)
    return {found.get(("sternpost_worker_up", worker)) for worker in ("1", "2")} == {1.0}


@pytest.mark.slow
def test_counters_never_fall_whatever_becomes_of_workers(tmp_path: Path) -> None:
    with supervised(tmp_path, **OPS) as server:
        watch, calls = Watch(server), 0
        with watch.running():

            def call(times: int) -> None:
                nonlocal calls
                for _ in range(times):
                    assert who(server)["pid"]
                    calls += 1

            while len({who(server)["pid"] for _ in range(4)}) < 2:
                calls += 4
            calls += 4
            call(20)
            assert measured(server)[CALLS] == calls, "each is counted once, whichever worker has answered"
            os.kill(pids(server)[1], signal.SIGKILL)
            wait_for_lines(server, "Worker started", 3)
            wait_until(lambda: both_answer(server))
            assert measured(server)[CALLS] == calls, "what the killed one had told is kept"
            call(20)
            assert measured(server)[CALLS] == calls
            server.process.send_signal(signal.SIGHUP)
            while not any("Rolling restart finished" in line for line in list(server.lines)):
                call(1)
            wait_until(lambda: both_answer(server))
            assert measured(server)[CALLS] == calls, "a worker that retires says its last words"
        assert watch.fell == []
        assert watch.reads > 20
        found = measured(server)
        assert found["sternpost_request_duration_seconds_count", "notes.who"] == calls
        assert {name[-1] for name in found if name[0] == "sternpost_process_resident_memory_bytes"} == {"1", "2"}
        assert sum(found["sternpost_connections_open", worker] for worker in ("1", "2")) >= 0
        assert found["sternpost_event_loop_lag_seconds_count",] > 0
        assert server.stop() == 0


def test_a_worker_that_is_stopped_takes_nothing_away(tmp_path: Path) -> None:
    with supervised(tmp_path, **OPS) as server:
        for _ in range(10):
            who(server)
        before = measured(server)
        stopped = pids(server)[2]
        os.kill(stopped, signal.SIGSTOP)
        try:
            began = time.monotonic()
            during = measured(server)
            assert time.monotonic() - began < 10
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert (during["sternpost_worker_up", "1"], during["sternpost_worker_up", "2"]) == (1, 0)
        assert during[CALLS] == before[CALLS] == 10
        assert ("sternpost_requests_in_flight", "2") not in during, "nobody knows"
        wait_until(lambda: both_answer(server))
        assert measured(server)[CALLS] == 10
        assert server.stop() == 0


def test_a_process_alone_tells_the_same(tmp_path: Path) -> None:
    with serving("tests.support.limited:app", tmp_path, **OPS) as server:
        assert scrape(server, token=OPS_TOKEN[::-1])[0] == 401
        assert server.request("GET", "/health")[0] == 200
        found = measured(server)
        assert found["sternpost_requests_total", "health", "ok"] >= 1
        assert found["sternpost_worker_up", "1"] == 1
        assert found["sternpost_connections_open", "1"] >= 0
        assert server.stop() == 0


def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    with supervised(tmp_path, **OPS) as server:
        who(server)
        server.request("POST", "/api/v1/notes", {"text": "a"})
        server.request("GET", "/nothing")
        _, text = scrape(server)
        assert server.stop() == 0
    try:
        assert check("metrics", given=text) == ""
        wrong = text.replace("sternpost_errors_total", "sternpost_errors").replace("# HELP sternpost_errors ", "# x ")
        assert check("metrics", given=wrong) != "", "it looks"
    except NoPromtool as error:
        not_run("metrics against promtool", str(error))
