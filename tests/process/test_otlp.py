"""Traces and log lines by OTLP: a real service process, a real receiver, by HTTP and by gRPC, on each database."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sternpost.auth.jwt import make_token
from tests.conftest import not_run
from tests.process.traced_service import SECRET as CARD
from tests.support.otlp import Receiver, grpc_receiver, http_receiver
from tests.support.postgres import free_port
from tests.support.redis import NoRedis, RedisServer
from tests.support.rotel import NoRotel, collector
from tests.support.server import SECRET, Process, environment, running, serving
from tests.support.supervised import SUPERVISOR_READY, wait_for_lines

APP = "tests.process.traced_service:app"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
SERVER, CLIENT, INTERNAL = 2, 3, 1
ERROR = 2


def ask(process: Process, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
    if body is not None:
        headers["content-type"] = "application/json"
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None
    finally:
        connection.close()


def service(folder: Path, receiver: Receiver, **env: str) -> Any:
    """The service, which sends to the receiver."""
    return serving(APP, folder, fresh=True, **receiver.environment(**env))


def test_the_scheme_is_that_of_the_client(tmp_path: Path) -> None:
    """Which a trusted proxy tells."""
    with http_receiver() as receiver, service(tmp_path, receiver, STERNPOST_TRUSTED_PROXIES="127.0.0.1") as server:
        for scheme in ("https", "http"):
            headers = {"traceparent": PARENT, "x-forwarded-for": "192.0.2.1", "x-forwarded-proto": scheme}
            assert ask(server, "GET", f"/nothing/{scheme}", **headers)[0] == 404
        found = receiver.wait(lambda: told if len(told := receiver.spans) == 2 else [])
        schemes = {span.attributes["url.path"]: span.attributes["url.scheme"] for span in found}
        assert schemes == {"/nothing/https": "https", "/nothing/http": "http"}


def test_spans_of_calls_and_of_their_statements(tmp_path: Path, database: str, database_url: str) -> None:
    now = int(time.time())
    token = make_token(SECRET, subject="usr_ada", scopes=[], issued=now, expires=now + 600)
    env = {"STERNPOST_DATABASE_URL": database_url}
    with http_receiver() as receiver, service(tmp_path, receiver, **env) as server:
        status, shelf = ask(server, "POST", "/api/v1/shelfs", {"name": "A"}, traceparent=PARENT, tracestate="x=1,y=2")
        assert status == 201
        span = receiver.span("POST /api/v1/shelfs")
        assert (span.trace_id, span.parent, span.kind, span.status) == (TRACE, SPAN, SERVER, 0)
        assert span.trace_state == "x=1,y=2"
        assert span.attributes["http.request.method"] == "POST"
        assert span.attributes["http.route"] == span.attributes["url.path"] == "/api/v1/shelfs"
        assert span.attributes["url.scheme"] == "http"
        assert span.attributes["http.response.status_code"] == 201
        assert span.attributes["sternpost.operation"] == "shelfs.create"
        assert span.resource["service.name"] == "library"
        assert 0 < span.end - span.start < 20e9
        assert abs(span.start / 1e9 - time.time()) < 60
        line = server.wait_for(rf'.*"requestId":"{shelf["meta"]["requestId"]}".*"statements".*')
        written = json.loads(line.group(0))
        assert (written["traceId"], written["spanId"]) == (TRACE, span.span_id)

        (insert,) = receiver.wait(lambda: receiver.below(span))
        assert (insert.name, insert.kind) == ("INSERT shelfs", CLIENT)
        assert insert.attributes["db.system.name"] == database
        assert insert.attributes["db.operation.name"] == "INSERT"
        assert insert.attributes["db.collection.name"] == "shelfs"
        assert insert.attributes["sternpost.grouped"] is True
        assert insert.attributes["db.query.text"].startswith("INSERT INTO shelfs")
        assert span.start <= insert.start <= insert.end <= span.end

        key = shelf["data"]["id"]
        headers = {"authorization": f"Bearer {token}"}
        assert ask(server, "GET", f"/api/v1/shelfs/{key}?include=books", **headers)[0] == 200
        span = receiver.span("GET /api/v1/shelfs/{id}", enduser__id="usr_ada")
        assert len(span.trace_id) == 32
        assert span.parent == ""
        assert [each.name for each in receiver.below(span)] == ["SELECT shelfs", "SELECT books"]
        assert ask(server, "GET", f"/api/v1/shelfs/{key}/books")[0] == 200
        receiver.span("GET /api/v1/shelfs/{id}/books")


def test_failures_and_unknown_addresses(tmp_path: Path) -> None:
    with http_receiver() as receiver, service(tmp_path, receiver) as server:
        for number in range(30):
            assert ask(server, "GET", f"/nothing/{number}/ada@example.org")[0] == 404
        assert ask(server, "POST", "/api/v1/shelfs", {})[0] == 400
        assert ask(server, "PURGE", "/api/v1/shelfs")[0] == 405
        assert ask(server, "POST", "/api/v1/books/fail")[0] == 500
        failed = receiver.span("POST /api/v1/books/fail")
        assert (failed.status, failed.attributes["error.type"]) == (ERROR, "INTERNAL_ERROR")
        invalid = receiver.span("POST /api/v1/shelfs")
        assert (invalid.status, invalid.attributes["error.type"]) == (0, "VALIDATION_ERROR")
        purged = receiver.span("HTTP /api/v1/shelfs")
        assert purged.attributes["http.request.method"] == "_OTHER"

        def lost() -> list[str]:
            return [span.name for span in receiver.spans if span.attributes.get("url.path", "").startswith("/nothing")]

        receiver.wait(lambda: len(lost()) == 30)
        assert set(lost()) == {"GET"}
        assert "ada@example.org" not in str(receiver.spans)
        (failing,) = receiver.wait(lambda: receiver.below(failed))
        assert (failing.name, failing.kind, failing.status) == ("failing", INTERNAL, ERROR)
        ((event, told),) = failing.events
        assert (event, told["exception.type"]) == ("exception", "ValueError")
        assert "traced_service.py" in told["exception.stacktrace"]
        receiver.wait(lambda: [line for line in receiver.lines if line.body == "Unexpected ValueError"])
        assert CARD not in str(receiver.spans) + str(receiver.lines)


def test_the_author_finds_the_span_of_the_call(tmp_path: Path, database: str, database_url: str) -> None:
    env = {"STERNPOST_DATABASE_URL": database_url}
    with http_receiver() as receiver, service(tmp_path, receiver, **env) as server:
        status, answer = ask(server, "POST", "/api/v1/books/look", traceparent=PARENT, baggage="user=ada,plan=free")
        assert status == 200
        span = receiver.span("POST /api/v1/books/look", author__kind="look")
        seen = answer["data"]
        assert (seen["traceId"], seen["spanId"]) == (TRACE, span.span_id)
        assert seen["traceparent"] == f"00-{TRACE}-{span.span_id}-01"
        assert seen["user"] == "ada"
        assert (span.attributes["card"], span.attributes["mail"]) == ("***", "***")
        assert span.events == [("looked", {"card": "***"})]
        inner = receiver.span("inner")
        assert (inner.trace_id, inner.parent, inner.attributes["card"]) == (TRACE, span.span_id, "***")
        statement = receiver.span("SELECT books", db__system__name=database)
        assert statement.parent == inner.span_id
        assert "card = ?" in statement.attributes["db.query.text"]
        assert CARD not in str(receiver.spans)

        assert ask(server, "POST", "/api/v1/words", {"text": "sea"})[0] == 201
        assert receiver.span("POST /api/v1/words").attributes["computed.rows"] == 1
        assert ask(server, "GET", "/api/v1/hookeds")[0] == 200
        assert receiver.span("GET /api/v1/hookeds").attributes["hook.operation"] == "hookeds.browse"


def test_the_caller_decides_what_is_sampled(tmp_path: Path) -> None:
    env = {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}
    with http_receiver() as receiver, service(tmp_path, receiver, **env) as server:
        unsampled = f"00-{TRACE}-{SPAN}-00"
        status, answer = ask(server, "POST", "/api/v1/books/look", traceparent=unsampled, baggage="user=eve")
        assert status == 200
        assert answer["data"]["traceId"] == TRACE
        assert answer["data"]["traceparent"] == f"00-{TRACE}-{answer['data']['spanId']}-00"
        assert answer["data"]["user"] == "eve"
        assert ask(server, "GET", "/api/v1/books")[0] == 200
        assert ask(server, "GET", "/api/v1/books", traceparent=PARENT)[0] == 200
        receiver.span("GET /api/v1/books")
        receiver.wait(lambda: len([line for line in receiver.lines if "operation" in line.attributes]) == 3)
        assert server.stop() == 0
        assert [span.trace_id for span in receiver.spans] == [TRACE] * 2  # the call, and its statement


def test_headers_that_are_not_well_formed_are_left_out(tmp_path: Path) -> None:
    with http_receiver() as receiver, service(tmp_path, receiver) as server:
        for headers in (
            {"tracestate": f"UPPER={CARD}", "baggage": f"user=ada,{CARD},=,a=%zz"},
            {"tracestate": "x=" + "y" * 9000, "baggage": "z=" + "y" * 9000},
        ):
            status, answer = ask(server, "POST", "/api/v1/books/look", traceparent=PARENT, **headers)
            assert status == 200
            assert answer["data"]["user"] in ("ada", "None")
        receiver.wait(lambda: sum(span.name == "POST /api/v1/books/look" for span in receiver.spans) == 2)
        assert server.stop() == 0
        assert {span.trace_state for span in receiver.spans} == {""}
        assert CARD not in str(server.lines)
        assert not any('"logger"' in line for line in server.lines)


def test_without_statements(tmp_path: Path) -> None:
    with http_receiver() as receiver, service(tmp_path, receiver, STERNPOST_TRACE_STATEMENTS="false") as server:
        assert ask(server, "GET", "/api/v1/books")[0] == 200
        assert receiver.span("GET /api/v1/books").attributes["sternpost.statements"] == 1
        assert server.stop() == 0
        assert [span.name for span in receiver.spans] == ["GET /api/v1/books"]


def test_log_lines_are_sent_with_their_span(tmp_path: Path) -> None:
    env = {"OTEL_SERVICE_NAME": "lib", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
    with http_receiver() as receiver, service(tmp_path, receiver, **env) as server:
        assert ask(server, "GET", "/api/v1/shelfs/shl_0", traceparent=PARENT)[0] == 404
        span = receiver.span("GET /api/v1/shelfs/{id}")
        assert (span.resource["service.name"], span.resource["deployment.environment.name"]) == ("lib", "test")
        line = receiver.wait(lambda: [line for line in receiver.lines if "statements" in line.attributes])[0]
        assert (line.trace_id, line.span_id, line.severity) == (TRACE, span.span_id, 13)
        assert line.body == "shelfs.read failed with 404"
        assert line.attributes["requestId"] == span.attributes["sternpost.request_id"]
        assert line.resource["service.instance.id"] == span.resource["service.instance.id"]
        assert server.stop() == 0
        assert any(line.body == "Ready" for line in receiver.lines)


def test_grpc(tmp_path: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=k1"}
    with grpc_receiver() as receiver, service(tmp_path, receiver, **env) as server:
        assert ask(server, "GET", "/api/v1/books", traceparent=PARENT)[0] == 200
        span = receiver.span("GET /api/v1/books")
        assert (span.trace_id, span.parent) == (TRACE, SPAN)
        receiver.wait(lambda: receiver.lines)
        assert receiver.headers[0]["api-key"] == "k1"
        assert server.stop() == 0


def test_metrics_are_sent(tmp_path: Path) -> None:
    env = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    with http_receiver() as receiver, service(tmp_path, receiver, **env) as server:
        for _ in range(3):
            assert ask(server, "GET", "/api/v1/books")[0] == 200
        assert ask(server, "GET", "/api/v1/shelfs/shl_0")[0] == 404

        def counted(name: str, wanted: int, **attributes: str) -> Any:
            def found() -> Any:
                receiver.metrics[:-200] = []
                point = receiver.metric(name, **attributes)
                return point if (getattr(point, "as_int", 0) or getattr(point, "count", 0)) == wanted else None

            return receiver.wait(found)

        requests = counted("sternpost_requests", 3, operation="books.browse", outcome="ok")
        assert 0 < requests.start_time_unix_nano < requests.time_unix_nano
        duration = counted("sternpost_request_duration_seconds", 3, operation="books.browse")
        assert sum(duration.bucket_counts) == 3
        assert len(duration.explicit_bounds) == len(duration.bucket_counts) - 1
        assert not duration.HasField("max")
        counted("sternpost_errors", 1, operation="shelfs.read", code="NOT_FOUND")
        recent = receiver.metric("sternpost_request_duration_recent_seconds", operation="books.browse", percentile="99")
        assert 0 < recent.as_double < 20
        metric, resource = next(pair for pair in receiver.metrics if pair[0].name == "sternpost_requests")
        assert (metric.sum.is_monotonic, metric.sum.aggregation_temporality) == (True, 2)
        assert resource["service.name"] == "library"
        assert server.stop() == 0
        assert receiver.spans == []
        assert receiver.lines == []


def test_the_last_metrics_are_sent_at_the_end(tmp_path: Path) -> None:
    env = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_METRIC_EXPORT_INTERVAL": "60000"}
    with http_receiver() as receiver, service(tmp_path, receiver, **env) as server:
        assert ask(server, "GET", "/api/v1/books")[0] == 200
        assert server.stop() == 0
        assert receiver.metric("sternpost_requests", operation="books.browse", outcome="ok").as_int == 1


def test_each_worker_sends_by_itself(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        settings = {"STERNPOST_DATABASE_URL": f"sqlite:///{tmp_path / 'w.sqlite'}", "STERNPOST_PORT": "0"}
        env = environment(**settings, **receiver.environment())
        command = ["-m", "sternpost", "serve", APP, "--create-schema", "--workers", "2"]
        with running(command, env, tmp_path, SUPERVISOR_READY, fresh=True) as server:
            wait_for_lines(server, "Worker started", 2)

            def instances() -> set[Any]:
                ask(server, "GET", "/api/v1/books")
                return {span.resource["service.instance.id"] for span in receiver.spans}

            receiver.wait(lambda: len(instances()) == 2)
            assert server.stop() == 0


def test_what_waits_is_sent_at_the_end(tmp_path: Path) -> None:
    with http_receiver() as receiver, service(tmp_path, receiver, OTEL_BSP_SCHEDULE_DELAY="60000") as server:
        for _ in range(20):
            assert ask(server, "GET", "/api/v1/books")[0] == 200
        assert server.stop() == 0
        assert sum(span.name == "GET /api/v1/books" for span in receiver.spans) == 20


@pytest.mark.slow
def test_a_receiver_that_never_answers_costs_nothing_but_what_is_dropped(tmp_path: Path) -> None:
    env = {"OTEL_BSP_MAX_QUEUE_SIZE": "20", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5"}
    env |= {"OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    with http_receiver(silent=True) as receiver, service(tmp_path, receiver, **env) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        slowest = 0.0
        for _ in range(200):
            begun = time.monotonic()
            connection.request("GET", "/api/v1/books")
            assert connection.getresponse().read()
            slowest = max(slowest, time.monotonic() - begun)
        connection.close()
        assert receiver.asked >= 1
        assert slowest < 2  # the exporters wait for ten
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 8
        ended = json.loads(server.wait_for(r'.*"Some of what was observed was never sent.*').group(0))
        assert list(ended["signals"]) == ["traces"]
        assert ended["dropped"] >= 200 - 5 * receiver.asked


def test_a_receiver_that_refuses_is_told_once(tmp_path: Path) -> None:
    env = {"OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    ops_port = free_port()
    env |= {"STERNPOST_OPS_TOKEN": SECRET, "STERNPOST_OPS_PORT": str(ops_port)}
    with http_receiver() as receiver, service(tmp_path, receiver, **env) as server:
        receiver.status = 400
        for number in range(1, 4):
            assert ask(server, "GET", "/api/v1/books")[0] == 200
            receiver.wait(lambda number=number: receiver.asked >= number)
        told = json.loads(server.wait_for(r'.*"What is observed could not be sent by OTLP".*').group(0))
        assert (told["level"], told["signal"]) == ("warning", "traces")
        assert "400" in told["reason"]
        assert told["endpoint"] == receiver.environment()["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces"
        receiver.status = 200
        assert ask(server, "GET", "/api/v1/books")[0] == 200
        receiver.span("GET /api/v1/books")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", ops_port, timeout=20)) as connection:
            connection.request("GET", "/metrics", headers={"authorization": f"Bearer {SECRET}"})
            told = connection.getresponse().read().decode()
        lost = re.search(r'^sternpost_otlp_lost_total\{reason="not_taken",signal="traces"\} (\d+)', told, re.MULTILINE)
        assert lost is not None
        assert int(lost[1]) >= 3
        server.wait_for(r'.*"What is observed is sent by OTLP again".*"lost":\d')
        assert server.stop() == 0
        assert sum("could not be sent" in line for line in server.lines) == 1


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_at_the_end_one_line_says_that_nobody_took_it(tmp_path: Path, protocol: str) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    late = {"OTEL_BSP_SCHEDULE_DELAY": "100000", "OTEL_BLRP_SCHEDULE_DELAY": "100000"}
    with serving(APP, tmp_path, fresh=True, **env, **late) as server:
        assert ask(server, "GET", "/api/v1/books")[0] == 200
        assert server.stop() == 0
        server.wait_for('"message":"Stopped"')
        warnings = [line for line in map(json.loads, server.lines) if line["level"] in ("warning", "error")]
        assert [line["message"] for line in warnings] == ["Some of what was observed was never sent by OTLP"]
        assert set(warnings[0]["signals"]) == {"traces", "logs", "metrics"}
        assert warnings[0]["endpoint"] == (endpoint if protocol == "grpc" else f"{endpoint}/v1/traces")
        assert "refused" in warnings[0]["reason"]


def test_nothing_is_sent_without_an_endpoint(tmp_path: Path) -> None:
    with http_receiver() as receiver, serving(APP, tmp_path, fresh=True) as server:
        status, answer = ask(server, "POST", "/api/v1/books/look", traceparent=PARENT)
        assert (status, answer["data"]["traceId"]) == (200, "0" * 32)
        assert server.stop() == 0
        assert receiver.asked == 0


def test_stores_have_spans_too(tmp_path: Path, database_url: str) -> None:
    try:
        redis = RedisServer()
    except NoRedis as error:
        not_run("Redis", str(error))
    with redis, http_receiver() as receiver:
        env = {"STERNPOST_DATABASE_URL": database_url, "STERNPOST_REDIS_URL": redis.url}
        options = receiver.environment(**env)
        with serving("tests.process.guarded_service:app", tmp_path, fresh=True, **options) as server:
            keyed = {"idempotency-key": "k-4111111111111111"}
            assert ask(server, "POST", "/api/v1/bills", {"text": "4111111111111111"}, **keyed)[0] == 201
            span = receiver.span("POST /api/v1/bills")
            below = receiver.wait(lambda: receiver.below(span))
            names = [each.name for each in below]
            assert names[:2] == ["limits charge", "idempotency find"]
            assert below[0].attributes["db.system.name"] == "redis"
            assert "INSERT bills" in names
            assert all(span.start <= each.start <= each.end <= span.end for each in below)
            assert ask(server, "POST", "/api/v1/bills", {"text": "4111111111111111"}, **keyed)[0] == 201
            receiver.span("POST /api/v1/bills", sternpost__replayed=True)
            assert server.stop() == 0
            assert "4111111111111111" not in str(receiver.spans) + str(receiver.lines)


def test_the_author_may_have_a_provider(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        env = receiver.environment(OWN_PROVIDER="1")
        with serving("tests.process.guarded_service:app", tmp_path, fresh=True, **env) as server:
            assert ask(server, "POST", "/api/v1/bills/work")[0] == 200
            span = receiver.span("POST /api/v1/bills/work")
            server.wait_for(f"^own by the author {span.span_id}$")
            assert server.stop() == 0
            assert [each.name for each in receiver.spans] == ["POST /api/v1/bills/work"]


@pytest.fixture
def through_rotel() -> Iterator[tuple[Receiver, dict[str, str]]]:
    """A receiver, and the endpoints of a collector before it."""
    with ExitStack() as stack:
        receiver = stack.enter_context(grpc_receiver())
        try:
            endpoints = stack.enter_context(collector(receiver.endpoint))
        except NoRotel as error:
            not_run("Rotel", str(error))
        else:
            yield receiver, endpoints


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_by_others_takes_it(
    tmp_path: Path, through_rotel: tuple[Receiver, dict[str, str]], protocol: str
) -> None:
    receiver, endpoints = through_rotel
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoints[protocol], "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    with service(tmp_path, receiver, **env) as server:
        assert ask(server, "GET", "/api/v1/books", traceparent=PARENT)[0] == 200
        span = receiver.span("GET /api/v1/books")
        assert (span.trace_id, span.parent, span.kind) == (TRACE, SPAN, SERVER)
        assert span.attributes["http.response.status_code"] == 200
        (statement,) = receiver.wait(lambda: receiver.below(span))
        assert statement.attributes["db.collection.name"] == "books"
        assert receiver.wait(lambda: [line for line in receiver.lines if line.span_id == span.span_id])
        receiver.metric("sternpost_requests", operation="books.browse", outcome="ok")
        assert server.stop() == 0
