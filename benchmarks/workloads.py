"""What is asked: the data, and the requests of each workload. Standard library only: the load generator imports it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

USERS, ORDERS, PENDING = 100_000, 300_000, 1_000
"""One user in a hundred is pending: an exact count then reads a range of an index, not the whole table, and there are 50 pages
of 20. A status that half the table has would measure how fast PostgreSQL counts, and nothing else."""

ORIGIN = "https://app.example"
"""Where the page is from that sends the requests. Who answers pages of other origins has to look at it."""

PAGE_SIZE = 20
FIRST_MILLISECOND = 1_767_225_600_000
"""The beginning of 2026: when the first row was made, one more every millisecond."""

SPREAD = 2_654_435_761
"""Makes the last digits of ids look random (Knuth's multiplicative hash), and the same each time."""


def row_id(kind: int, number: int) -> str:
    """The 32 digits of a row's id: a UUIDv7 (RFC 9562, 5.7), sorted by number. Databases make the same in SQL when they are filled."""
    return f"{FIRST_MILLISECOND + number:012x}7{kind:03x}8{number * SPREAD:015x}"


def uuid_text(digits: str) -> str:
    """32 hexadecimal digits as RFC 9562 writes them."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True)
class Target:
    """Whom the requests are for, and what they may contain.

    Attributes:
        id_style: `usr_` and 32 digits, or a UUID with dashes: each stack's own ids.
        tokens: one is sent with every request, in turn.
        users, pending: how many users there are, and how many of them are pending.
        run: makes e-mail addresses of this run unlike those of any other.
        paths: what the workload `paths` asks for, at random.
    """

    host: str
    port: int
    id_style: str
    tokens: Sequence[str]
    users: int
    pending: int
    run: str
    seed: int = 1
    paths: list[str] = field(default_factory=list[str])

    def user_id(self, number: int) -> str:
        digits = row_id(1, number)
        return f"usr_{digits}" if self.id_style == "prefixed" else uuid_text(digits)


@dataclass(frozen=True)
class Workload:
    """One kind of request.

    Attributes:
        status: the only status that counts as answered.
        requests: from a target, a function that gives the next path and body.
        keys: from a target, a function that gives the next `Idempotency-Key`; None where none is sent.
        anonymous: sent without a token.
    """

    name: str
    title: str
    method: str
    status: int
    requests: Callable[[Target], Callable[[], tuple[str, dict[str, Any] | None]]]
    keys: Callable[[Target], Callable[[], str]] | None = None
    anonymous: bool = False


Next = Callable[[], tuple[str, dict[str, Any] | None]]


def _read(target: Target) -> Next:
    dice = random.Random(target.seed).random
    users, user_id = target.users, target.user_id
    return lambda: (f"/api/v1/users/{user_id(int(dice() * users))}", None)


def _first_page(target: Target) -> Next:
    path = f"/api/v1/users?status=pending&page=1&pageSize={PAGE_SIZE}"
    return lambda: (path, None)


def _any_page(target: Target) -> Next:
    dice = random.Random(target.seed).random
    pages = -(-target.pending // PAGE_SIZE)
    return lambda: (f"/api/v1/users?status=pending&page={1 + int(dice() * pages)}&pageSize={PAGE_SIZE}", None)


def _create(target: Target) -> Next:
    number = 0

    def request() -> tuple[str, dict[str, Any]]:
        nonlocal number
        number += 1
        return "/api/v1/users", {"name": f"Bench {number}", "email": f"{target.run}-{number}@bench.example"}

    return request


def _fresh_keys(target: Target) -> Callable[[], str]:
    number = 0

    def key() -> str:
        nonlocal number
        number += 1
        return f"{target.run}-{number}"

    return key


REPLAYED = 2
"""How many changes of each token are sent again and again."""


def _replayed_creates(target: Target) -> Next:
    number = -1

    def request() -> tuple[str, dict[str, Any]]:
        nonlocal number
        number = (number + 1) % (REPLAYED * len(target.tokens))
        return "/api/v1/users", {"name": f"Bench {number}", "email": f"{target.run}-{number}@bench.example"}

    return request


def _replayed_keys(target: Target) -> Callable[[], str]:
    """In step with the bodies and with the tokens: each key always comes with the same of both."""
    number = -1

    def key() -> str:
        nonlocal number
        number = (number + 1) % (REPLAYED * len(target.tokens))
        return f"{target.run}-{number}"

    return key


def _paths(target: Target) -> Next:
    dice = random.Random(target.seed).random
    paths = target.paths
    return lambda: (paths[int(dice() * len(paths))], None)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", "GET /api/v1/users/{id}, random ids", "GET", 200, _read),
        Workload(
            "W2", "GET /api/v1/users?status=pending&page=1&pageSize=20, exact totalCount", "GET", 200, _first_page
        ),
        Workload("W2p", "the same, random pages", "GET", 200, _any_page),
        Workload("W3", "POST /api/v1/users, unique e-mails", "POST", 201, _create),
        Workload("W1a", "W1 without a token", "GET", 200, _read, anonymous=True),
        Workload("W3k", "W3 with a new Idempotency-Key each time", "POST", 201, _create, _fresh_keys),
        Workload("replay", "W3 sent again with the same keys", "POST", 201, _replayed_creates, _replayed_keys),
        Workload("paths", "GET, given paths at random", "GET", 200, _paths),
    )
}


def encoder(workload: Workload, target: Target) -> Callable[[], bytes]:
    """A function that gives the bytes of one HTTP/1.1 request after the other: from a page, with a token in each."""
    following = workload.requests(target)
    next_key = workload.keys(target) if workload.keys is not None else None
    heads = [
        f" HTTP/1.1\r\nHost: {target.host}:{target.port}\r\nOrigin: {ORIGIN}\r\n{authorization}"
        for authorization in (
            [""] if workload.anonymous else [f"Authorization: Bearer {token}\r\n" for token in target.tokens]
        )
    ]
    turn = 0

    def encode() -> bytes:
        nonlocal turn
        turn = turn + 1 if turn + 1 < len(heads) else 0
        path, body = following()
        if body is None:
            return f"{workload.method} {path}{heads[turn]}\r\n".encode()
        content = json.dumps(body)
        key = f"Idempotency-Key: {next_key()}\r\n" if next_key is not None else ""
        return (
            f"{workload.method} {path}{heads[turn]}{key}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        ).encode()

    return encode
