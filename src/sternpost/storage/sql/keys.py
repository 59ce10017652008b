"""Keys of an external database as ids: a client gets 32 digits that tell nothing of the key.

One block of AES-256 (FIPS 197) holds the key and a tag of its table, eight bytes each. A block cipher is a permutation,
so each key has one id and each id at most one key. Whoever makes an id up hits the tag of a table once in 2**64 trials;
nobody without the secret can say which of two rows came first, or how many there are.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from sternpost.plan.model import Plan, ResourcePlan

KEY_BYTES = 8
"""What a key may take: a 64-bit whole number, or a text of so many bytes in UTF-8."""

NO_INTEGER = -(2**63)
NO_TEXT = "(no such key)"
"""What an id is read as that was not made here. No key is equal to it: that integer is refused, this text is too long.
"""

Block = Callable[[bytes], bytes]


class Keys:
    """The codecs of the keys of a plan's tables.

    Args:
        secret: 32 bytes. Other bytes give other ids; without any, ids are worth nothing to another process.
    """

    def __init__(self, plan: Plan, secret: bytes | None) -> None:
        if not plan.hides_keys:
            self.by_resource: dict[str, HiddenKey] = {}
            return
        secret = secret or secrets.token_bytes(32)
        # Each block stands alone: there is one for each key, so equal blocks are equal keys, which an id has to tell.
        cipher = Cipher(AES(secret), ECB())  # noqa: S305
        self.by_resource = {
            resource.name: HiddenKey(
                resource.key_storage == "integer",
                _tag(secret, resource),
                cipher.encryptor().update,
                cipher.decryptor().update,
                f"{resource.table}.{resource.fields_by_name['id'].column_name}",
            )
            for resource in plan.resources
            if resource.key_storage in ("integer", "text")
        }


class HiddenKey:
    """The keys of one table: `digits` of a key, and the `key` of digits."""

    def __init__(self, integer: bool, tag: bytes, encrypt: Block, decrypt: Block, place: str) -> None:
        self.nowhere: Any = NO_INTEGER if integer else NO_TEXT
        self._integer = integer
        self._tag = tag
        self._encrypt = encrypt
        self._decrypt = decrypt
        self._place = place

    def digits(self, key: Any) -> str:
        """32 hexadecimal digits. Raises `ValueError` for a key that does not fit into eight bytes."""
        return self._encrypt(self._bytes(key) + self._tag).hex()

    def key(self, digits: str) -> Any:
        """The key, or `nowhere` for digits that were not made of a key of this table."""
        block = self._decrypt(bytes.fromhex(digits))
        if block[KEY_BYTES:] != self._tag:
            return self.nowhere
        if self._integer:
            return int.from_bytes(block[:KEY_BYTES], "big", signed=True)
        return block[:KEY_BYTES].rstrip(b"\0").decode()

    def _bytes(self, key: Any) -> bytes:
        if self._integer and type(key) is int and key != NO_INTEGER:
            return key.to_bytes(KEY_BYTES, "big", signed=True)
        if not self._integer and isinstance(key, str):
            encoded = key.encode()
            if len(encoded) <= KEY_BYTES and b"\0" not in encoded:
                return encoded.ljust(KEY_BYTES, b"\0")
        raise ValueError(f"{self._place} contains a key that cannot be turned into an id: {type(key).__name__}")


def plain_key(key: Any) -> Any:
    """A key as rows that belong together have it: a UUID as its digits."""
    return key.hex if isinstance(key, UUID) else key


def _tag(secret: bytes, resource: ResourcePlan) -> bytes:
    table = f"{resource.schema or ''}\0{resource.table}"
    return hmac.digest(secret, f"tag of {table}".encode(), "sha256")[:KEY_BYTES]
