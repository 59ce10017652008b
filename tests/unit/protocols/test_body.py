"""A body is bounded by what comes, whatever was said of its length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sternpost.errors import PayloadTooLarge
from sternpost.protocols.http.body import ClientDisconnected, read_body
from sternpost.protocols.http.headers import RequestHeaders

LIMIT = 10


class Sender:
    """Sends a body in parts, and then goes away where it has not ended."""

    def __init__(self, parts: Sequence[bytes], *, ends: bool = True) -> None:
        self.messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": not ends or number < len(parts)}
            for number, part in enumerate(parts, start=1)
        ]

    async def receive(self) -> dict[str, Any]:
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}


@pytest.mark.parametrize("parts", [[b""], [b"x" * LIMIT], [b"ab", b"", b"cd"], [b"x"] * LIMIT])
async def test_a_body_within_the_limit_is_whole(parts: list[bytes]) -> None:
    assert await read_body(Sender(parts).receive, RequestHeaders(), LIMIT) == b"".join(parts)


@pytest.mark.parametrize("parts", [[b"x" * (LIMIT + 1)], [b"x" * 6, b"x" * 5], [b"x"] * (LIMIT + 1)])
@pytest.mark.parametrize("length", [b"", b"1", b"nonsense"])
async def test_a_body_over_the_limit_is_read_no_further(parts: list[bytes], length: bytes) -> None:
    headers, sender = RequestHeaders(), Sender([*parts, b"more"])
    headers.content_length = length
    with pytest.raises(PayloadTooLarge):
        await read_body(sender.receive, headers, LIMIT)
    assert [message["body"] for message in sender.messages] == [b"more"]


async def test_a_body_that_never_ends_is_none() -> None:
    with pytest.raises(ClientDisconnected):
        await read_body(Sender([b"ab"], ends=False).receive, RequestHeaders(), LIMIT)
