"""Compares what the stacks answer before anything is measured: who does less must not look faster."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks.databases import Database
from benchmarks.measure import target_of
from benchmarks.rows import Size
from benchmarks.sink import read_count
from benchmarks.stacks import LOCALHOST, Server, Stack, serving
from benchmarks.workloads import ORIGIN, PAGE_SIZE

ID = re.compile(r"(?:usr_)?([0-9a-f]{8}-?[0-9a-f]{4}-?7[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12})")
LOG_SECONDS_MAX = 5.0
SPANS_CHECKED = 20
SPANS_SECONDS_MAX = 10.0
SPANS_QUIET_SECONDS = 2.0
"""Twice as long as spans are held back (`OTEL_BSP_SCHEDULE_DELAY`)."""

SECURITY_HEADERS = (
    "content-security-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
)


class Unequal(Exception):
    """A stack answers something else than the others; nothing is measured."""


def check(stacks: Sequence[Stack], database: Database, size: Size, tokens: Sequence[str]) -> None:
    """Asks every stack the same, and compares.

    Raises:
        Unequal: names the stack, the request and both answers.
    """
    expected: dict[str, Any] = {}
    for stack in stacks:
        with serving(stack, database.fresh(stack.name)) as server:
            answers = ask(server, size, tokens)
            if stack.hardened:
                check_hardening(server, size, tokens)
        for request, answer in answers.items():
            if answer != expected.setdefault(request, answer):
                raise Unequal(f"{stack.name} answers {request} with\n{answer}\nand not with\n{expected[request]}")


def ask(server: Server, size: Size, tokens: Sequence[str]) -> dict[str, Any]:
    """Answers to what the workloads send, without what is every stack's own: the form of ids, of instants, request ids."""
    target = target_of(server, tokens, size)
    answers: dict[str, Any] = {}
    for number in (0, 1, size.users // 2, size.users - 1):
        answers[f"user {number}"] = get(server, f"/api/v1/users/{target.user_id(number)}", tokens[0])
    last = -(-size.pending // PAGE_SIZE)
    for page in (1, last // 2 or 1, last):
        path = f"/api/v1/users?status=pending&page={page}&pageSize={PAGE_SIZE}"
        answers[f"page {page}"] = get(server, path, tokens[1])
    body = {"name": "Ada Lovelace", "email": "ada@bench.example"}
    made = plain(send(server, "POST", "/api/v1/users", tokens[2], body, 201)[1])
    stored = get(server, f"/api/v1/users/{own_id(server, made['data']['id'])}", tokens[2])
    if stored["data"] != made["data"]:
        raise Unequal(f"{server.stack.name} stored {stored} and answered {made}")
    answers["created"] = {**made["data"], "id": "", "createdAt": "", "updatedAt": ""}
    counted = get(server, f"/api/v1/users?status=pending&page=1&pageSize={PAGE_SIZE}", tokens[1])["meta"]["totalCount"]
    answers["count after a new one"] = counted
    return answers


def check_hardening(server: Server, size: Size, tokens: Sequence[str]) -> None:
    """What `hardened` promises is there: tokens and input are looked at, headers are sent, duplicates refused."""
    path = f"/api/v1/users/{target_of(server, tokens, size).user_id(1)}"
    send(server, "GET", path, None, None, 401)
    send(server, "GET", path, tokens[0][:-2] + ("AA" if tokens[0][-2:] != "AA" else "BB"), None, 401)
    send(server, "POST", "/api/v1/users", tokens[0], {"name": "Ada", "email": "no address"}, 400)
    send(server, "POST", "/api/v1/users", tokens[0], {"name": "", "email": "a@bench.example"}, 400)
    send(server, "POST", "/api/v1/users", tokens[0], {"name": "Ada", "email": "user00000001@shop.example"}, 409)
    headers, _ = send(server, "GET", path, tokens[0], None, 200)
    await_log(server, headers["x-request-id"])
    if server.stack.exports:
        check_cross_origin(server, path, tokens[0])
        check_spans(server, path, tokens[0])
    missing = [name for name in SECURITY_HEADERS if name not in headers]
    if missing:
        raise Unequal(f"{server.stack.name} is called hardened and sends no {', '.join(missing)}")


def check_cross_origin(server: Server, path: str, token: str) -> None:
    """A page of the origin that is allowed may read the answer; no other page may."""
    for origin, allowed in ((ORIGIN, True), ("https://other.example", False)):
        headers, _ = send(server, "GET", path, token, None, 200, {"Origin": origin})
        if (headers.get("access-control-allow-origin") == origin) != allowed:
            raise Unequal(f"{server.stack.name} is called hardened and answers pages of {origin} with {headers}")


def check_spans(
    server: Server, path: str, token: str, most_seconds: float = SPANS_SECONDS_MAX, quiet: float = SPANS_QUIET_SECONDS
) -> None:
    """As many spans arrive as requests are sent: not fewer, and not several each."""
    assert server.sink is not None  # a stack that exports is started with one
    before = settled(server.sink.counter, quiet)
    for _ in range(SPANS_CHECKED):
        send(server, "GET", path, token, None, 200)
    await_spans(server, server.sink.counter, before + SPANS_CHECKED, most_seconds)
    arrived = settled(server.sink.counter, quiet) - before
    if arrived != SPANS_CHECKED:
        raise Unequal(f"{server.stack.name} sent {arrived} spans of {SPANS_CHECKED} requests")


def await_spans(server: Server, counter: Path, at_least: int, most_seconds: float) -> None:
    """Waits until so many spans have arrived."""
    deadline = time.monotonic() + most_seconds
    while (found := read_count(counter)) < at_least:
        if time.monotonic() > deadline:
            raise Unequal(f"{server.stack.name} is called hardened; {found} spans came, not {at_least}")
        time.sleep(0.02)


def settled(counter: Path, quiet: float) -> int:
    """How many have arrived when none has for so many seconds."""
    found, since = read_count(counter), time.monotonic()
    while time.monotonic() < since + quiet:
        if (now := read_count(counter)) != found:
            found, since = now, time.monotonic()
        time.sleep(0.02)
    return found


def await_log(server: Server, request_id: str) -> None:
    """Waits until the request's line is in the file that its output goes to."""
    deadline = time.monotonic() + LOG_SECONDS_MAX
    while request_id not in server.log.read_text(errors="replace"):
        if time.monotonic() > deadline:
            raise Unequal(f"{server.stack.name} is called hardened and did not log request {request_id}")
        time.sleep(0.02)


def get(server: Server, path: str, token: str) -> Any:
    """A body, made comparable."""
    return plain(send(server, "GET", path, token, None, 200)[1])


def send(
    server: Server,
    method: str,
    path: str,
    token: str | None,
    body: Any,
    status: int,
    more: Mapping[str, str] | None = None,
) -> tuple[dict[str, str], bytes]:
    """One request on a connection of its own; the headers (lower case) and the body.

    Raises:
        Unequal: it is answered with another status.
    """
    headers = {"Content-Type": "application/json"} if body is not None else {}
    headers.update(more or {})
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection(LOCALHOST, server.port, timeout=20)
    try:
        connection.request(method, path, None if body is None else orjson.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status != status:
        raise Unequal(
            f"{server.stack.name} answers {method} {path} with {response.status}, not {status}: {content[:600]!r}"
        )
    return {name.lower(): value for name, value in response.getheaders()}, content


def plain(content: bytes) -> Any:
    """An answer without the request id, with ids as 32 digits and instants as numbers."""
    answer = orjson.loads(content)
    answer["meta"].pop("requestId", None)
    answer["meta"].pop("nextCursor", None)  # Sternpost alone offers to go on by cursor, at its own cost
    rows = answer["data"] if isinstance(answer["data"], list) else [answer["data"]]
    for row in rows:
        found = ID.fullmatch(row["id"])
        row["id"] = found[1].replace("-", "") if found else row["id"]
        for name in ("createdAt", "updatedAt"):
            # milliseconds: a Date of JavaScript has no more
            row[name] = int(datetime.fromisoformat(row[name]).timestamp() * 1000)
    return answer


def own_id(server: Server, digits: str) -> str:
    """32 digits in the form of the stack's ids."""
    if server.stack.id_style == "prefixed":
        return f"usr_{digits}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
