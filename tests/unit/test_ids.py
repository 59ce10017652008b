"""Ids as text: one id, one text."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from sternpost.ids import decode, encode, new_hex, random_hex

DIGITS = "0198a5b3c4d57e6f8a9bacbdcedfe0f1"


def test_an_id_is_decoded_as_it_was_encoded() -> None:
    for digits in (DIGITS, new_hex()):
        assert decode("usr", encode("usr", digits)) == digits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "usr_",
        DIGITS,
        f"usr{DIGITS}",
        f"usr-{DIGITS}",
        f"usr_{DIGITS[:-1]}",
        f"usr_{DIGITS}0",
        f"usr_{DIGITS}\n",
        f"usr_{DIGITS} ",
        f" usr_{DIGITS}",
        f"usr__{DIGITS}",
        f"usr_{DIGITS.upper()}",
        f"USR_{DIGITS}",
        f"xusr_{DIGITS}",
        f"org_{DIGITS}",
        f"usr_{DIGITS[:-1]}g",
        f"usr_{DIGITS[:-1]}\u0661",
    ],
)
def test_anything_else_is_no_id(text: str) -> None:
    assert decode("usr", text) is None


def test_processes_that_are_forked_give_names_of_their_own() -> None:
    """As those of a server that loads the application and then forks its workers."""
    found = {random_hex(32)}
    for _ in range(2):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(writing, random_hex(32).encode())
            os._exit(0)
        os.close(writing)
        with closing(os.fdopen(reading)) as told:
            found.add(told.read())
        os.waitpid(pid, 0)
    assert len(found) == 3
