"""The query of an address as parameters of a list: `createdAt[gte]=…`."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qsl

from sternpost.errors import Detail, Invalid
from sternpost.pipeline.call import ListParameter

PARAMETERS_MAX = 100
KEPT_BYTES_MAX = 200
"""Queries that are kept once they are read are no longer."""

_PARAMETER = re.compile(r"([A-Za-z0-9_.]{1,200})(?:\[([A-Za-z]{1,16})\])?")


def parameters(query: bytes) -> tuple[ListParameter, ...]:
    """The parameters of a query. Raises `Invalid`."""
    if not query:
        return ()
    return _known_parameters(query) if len(query) <= KEPT_BYTES_MAX else _parameters(query)


def parameter(text: str, value: str) -> ListParameter:
    """One parameter. What does not look like one is passed on whole: the pipeline refuses it and names those that exist."""
    found = _PARAMETER.fullmatch(text)
    return ListParameter(found.group(1), found.group(2), value) if found else ListParameter(text[:100], None, value)


def _parameters(query: bytes) -> tuple[ListParameter, ...]:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except (ValueError, UnicodeError):
        raise Invalid(
            "Invalid parameters",
            details=[
                Detail("", "malformed_query", f"The query is not UTF-8, or has more than {PARAMETERS_MAX} parameters")
            ],
        ) from None
    return tuple(parameter(name, value) for name, value in pairs)


_known_parameters = lru_cache(1000)(_parameters)
"""A cache for short queries, which often repeat."""
