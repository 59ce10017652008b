"""Claims of tokens as they are written on the command line."""

from __future__ import annotations

from typing import Any

import orjson

from sternpost.errors import StartupError


def read_claims(written: list[str]) -> dict[str, Any]:
    """The claims of `name=value` and `name=JSON`. Raises `StartupError` for what policies have no use for."""
    from sternpost.plan.caller import kept_claim

    found: dict[str, Any] = {}
    for each in written:
        name, equals, text = each.partition("=")
        value = kept_claim(_json(text))
        if not (name and equals) or value is None:
            raise StartupError(f'{each!r} is no claim; write department=sales, level=3 or \'teams=["a", "b"]\'')
        found[name] = value
    return found


def _json(text: str) -> Any:
    """A value as JSON writes it; anything else is a text."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
