"""What comes back: rows as instances of the author's classes, or as models of their own."""

from __future__ import annotations

import dataclasses
import typing
from functools import lru_cache
from typing import Any, cast

from sternpost.data.model import DataModel
from sternpost.plan.model import ResourcePlan
from sternpost.ports.storage import Document, Reader


def columns_of(model: type[Any]) -> tuple[str, ...]:
    """The fields of a dataclass, a Pydantic model, a TypedDict or a NamedTuple. Raises `TypeError`."""
    if dataclasses.is_dataclass(model):
        return tuple(field.name for field in dataclasses.fields(model) if field.init)
    names = getattr(model, "model_fields", None) or getattr(model, "_fields", None)
    if names is None and typing.is_typeddict(model):
        names = typing.get_type_hints(model)
    if not names:
        raise TypeError(f"into takes a dataclass or a Pydantic model, not {model!r}")
    return tuple(names)


def model_of_document(contract: DataModel, model: type[Any], resource: ResourcePlan, document: Document) -> Any:
    """A model of a row that was read; values are Python's own (`Decimal`, `datetime`)."""
    fields = [resource.shown_by_name[name] for name in columns_of(model)]
    return model(**{each.name: contract.instances.value(each, document[each.public_name]) for each in fields})


def model_of(model: type[Any], row: dict[str, Any]) -> Any:
    """A model of a row of raw SQL. Pydantic converts, so that SQLite's text becomes a date where the model says so."""
    return _adapter(model).validate_python(row)


@lru_cache(maxsize=256)
def _adapter(model: type[Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(cast("Any", model))


def instance_of_columns(contract: DataModel, reader: Reader, resource: ResourcePlan, row: dict[str, Any]) -> Any:
    """An instance of what raw SQL gave of a resource: columns by their names. Raises `TypeError` for other columns."""
    unknown = [name for name in row if name not in resource.fields_by_name]
    if unknown:
        raise TypeError(f"{resource.name} has no field {unknown[0]!r}: rename the column, or use a model of your own")
    return contract.instances.row(resource, reader.decoded(resource.name, row))
