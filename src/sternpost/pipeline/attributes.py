"""The attributes by which models of inputs hold the values of fields: a field may be called like a method of them."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel


@cache
def attribute(field: str) -> str:
    """The attribute of a field. No name of a field ends in an underscore, so that another one cannot have it."""
    return f"{field}_" if hasattr(BaseModel, field) else field


def field_of(attribute: str) -> str:
    """The way back."""
    return attribute.removesuffix("_")
