"""The rows that every stack gets, made in SQL: ten million of them take a minute, not ten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.workloads import FIRST_MILLISECOND, ORDERS, PENDING, SPREAD, USERS

CHUNK = 50_000

Progress = Callable[[int, int], None]
"""Is told how many rows are there and how many there will be."""


@dataclass(frozen=True)
class Size:
    """How many rows there are."""

    users: int = USERS
    orders: int = ORDERS
    pending: int = PENDING


def ranges(size: Size) -> Iterator[tuple[str, int, int]]:
    """(table, first number, number after the last) of some thousand rows at a time, users first."""
    for table, count in (("users", size.users), ("orders", size.orders)):
        for first in range(0, count, CHUNK):
            yield table, first, min(first + CHUNK, count)


def fill(size: Size, execute: Callable[[str, int, int], None], progress: Progress) -> None:
    """Fills the tables range by range. `execute` inserts the rows of a table from a number to before another."""
    total = size.users + size.orders
    done = 0
    for table, first, end in ranges(size):
        execute(table, first, end)
        done += end - first
        progress(done, total)


def inserts(size: Size, dialect: str) -> dict[str, str]:
    """The statements that make rows out of numbers, as `row_id` makes ids; they end before `FROM`."""
    id_of = (
        "printf('%012x7%03x8%015x', {start} + {n}, {kind}, ({n}) * {spread})"
        if dialect == "sqlite"
        else "(lpad(to_hex({start} + {n}), 12, '0') || '7' || lpad(to_hex({kind}), 3, '0') || '8' || "
        "lpad(to_hex(({n}) * {spread}), 15, '0'))::uuid"
    )
    moment = (
        "strftime('%Y-%m-%dT%H:%M:%S', {start} / 1000 + n, 'unixepoch')"
        if dialect == "sqlite"
        else "to_timestamp({start} / 1000 + n)"
    ).format(start=FIRST_MILLISECOND)
    padded = "printf('%08d', n)" if dialect == "sqlite" else "lpad(n::text, 8, '0')"
    every = max(size.users // size.pending, 1)

    def identifier(kind: int, number: str = "n") -> str:
        return id_of.format(start=FIRST_MILLISECOND, spread=SPREAD, kind=kind, n=number)

    status = f"CASE WHEN n % {every} = 0 THEN 'pending' WHEN n % 20 = 1 THEN 'suspended' ELSE 'active' END"
    states = "CASE n % 4 WHEN 0 THEN 'draft' WHEN 1 THEN 'placed' WHEN 2 THEN 'paid' ELSE 'shipped' END"
    return {
        "users": "INSERT INTO users (id, name, email, status, created_at, updated_at) "
        f"SELECT {identifier(1)}, 'Customer ' || {padded}, 'user' || {padded} || '@shop.example', {status}, {moment}, {moment}",
        "orders": "INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at) "
        f"SELECT {identifier(3)}, {identifier(1, f'n * 7919 % {size.users}')}, {states}, n * 37 % 100000, {moment}, {moment}",
    }
