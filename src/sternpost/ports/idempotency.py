"""What idempotency keys ask of storage: answers that are kept with the change that they tell of."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol


class KeptAnswer(NamedTuple):
    """What was answered to a call with a key.

    Attributes:
        request: 32 bytes that tell the request from others with the same key.
        head: a JSON object: the status and what else belongs to the answer, beside its data.
        body: the data as it was sent, or what was sent in place of it.
    """

    request: bytes
    head: str
    body: bytes


class Transaction(Protocol):
    """The `Session` of a transaction of the storage that keeps the answers."""

    writes: bool


class AnswerStore(Protocol):
    """Where the answers are kept. A key is known here by 32 bytes, its id."""

    async def find(self, id: bytes, now: datetime) -> KeptAnswer | None:
        """The answer that is kept and has not expired, read outside a transaction; or None."""
        ...

    async def claim(self, session: Transaction, id: bytes, now: datetime) -> KeptAnswer | bool:
        """Takes an id for the rest of a transaction, without waiting: the answer that is kept by now; True where there
        is none, so that the call is to be carried out; False while another transaction has taken it."""
        ...

    async def keep(
        self, session: Transaction, id: bytes, answer: KeptAnswer, *, now: datetime, expires_at: datetime
    ) -> bool:
        """Keeps an answer, in place of one that has expired; False where there is one that has not."""
        ...

    async def remove_expired(self, session: Transaction, now: datetime, most: int) -> int:
        """Removes answers that have expired, the oldest first; how many. Nothing while another process does so."""
        ...
