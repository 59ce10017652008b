"""The attributes by which models of inputs hold the values of fields: a field may be called like a method of them."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel


@cache
def attribute(field: str) -> str:
    """The attribute of a field. Only names that stand for a keyword of Python, such as `from_`, end in an underscore;
    they get another one, too, so that no two fields have one attribute."""
    return f"{field}_" if hasattr(BaseModel, field) or field.endswith("_") else field


def field_of(attribute: str) -> str:
    """The way back."""
    return attribute.removesuffix("_")
