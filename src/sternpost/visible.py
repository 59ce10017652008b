"""Text for terminals: whatever a terminal obeys or hides is written as an escape, such as `\\x1b`.

Values come from clients, databases and files. An escape sequence in one can move the cursor, rename the window or hide
a line; bidirectional controls let a text read differently from what it is (CVE-2021-42574).
"""

from __future__ import annotations

from unicodedata import category

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls (C0, DEL, C1), of format characters (bidirectional controls, joiners, tags), of lone
surrogates, and of separators of lines and paragraphs."""


def visible(text: str, keep: str = "") -> str:
    """The text with every character that a terminal obeys or hides as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`.

    Args:
        keep: characters to leave as they are, such as the line breaks of a text of several lines.
    """
    if text.isprintable():
        return text
    return "".join([_escape(each) if category(each) in _UNSEEN and each not in keep else each for each in text])


def visible_json(data: bytes) -> bytes:
    """The same JSON, with such characters as `\\uNNNN` (RFC 8259, 7). Line breaks between values stay."""
    if data.isascii() and b"\x7f" not in data:  # encoders escape C0 themselves
        return data
    text = data.decode()
    return "".join(
        [_json_escape(each) if each != "\n" and category(each) in _UNSEEN else each for each in text]
    ).encode()


def _escape(character: str) -> str:
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
