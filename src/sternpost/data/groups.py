"""What an author writes as `aggregate`, in the query language, and the groups that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

from sternpost.data.where import Reading
from sternpost.kinds import KINDS, NUMBERS
from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.plan.query import Aggregate, Function, Measure, Operator

Values = TypeVar("Values", bound=Mapping[str, Any])

_HAVING = ("eq", "ne", "gt", "gte", "lt", "lte")


@dataclass(frozen=True, slots=True)
class Group(Generic[Values]):
    """One row of `aggregate`.

    Attributes:
        by: the values that the group agrees in.
        count: how many rows it has.
        sum, min, max: by field; None where no row has a value.
        avg: by field; exact (`Decimal`) for integers and decimals, a float for floats.
    """

    by: Values
    count: int
    sum: Mapping[str, Any]
    avg: Mapping[str, Any]
    min: Mapping[str, Any]
    max: Mapping[str, Any]


class GroupReading:
    """Turns the arguments of one `aggregate` into a query; values go into the slots of `reading`."""

    def __init__(self, reading: Reading, resource: ResourcePlan) -> None:
        self.reading = reading
        self._resource = resource

    def query(
        self,
        *,
        by: Sequence[str],
        measures: Mapping[Function, Sequence[str]],
        where: Mapping[str, Any] | None,
        having: Mapping[str, Any] | None,
        order: Sequence[str],
        limit: int | None,
        offset: int,
    ) -> Aggregate:
        """The query. Raises `TypeError`, `ValueError` or `Invalid` for what does not fit."""
        reading = self.reading
        return Aggregate(
            self._resource.name,
            self._measures(by, measures),
            reading.where(self._resource, where),
            tuple(by),
            self._having(having),
            tuple(self._group_order(entry, by) for entry in order),
            reading.number("limit", limit),
            reading.number("offset", offset or None),
        )

    def _measures(self, by: Sequence[str], wanted: Mapping[Function, Sequence[str]]) -> tuple[Measure, ...]:
        measures = [Measure("count"), *(Measure("by", self.reading.field(self._resource, name).name) for name in by)]
        for function, names in wanted.items():
            measures += [self._measure(function, name) for name in names]
        return tuple(dict.fromkeys(measures))

    def _measure(self, function: Function, name: str) -> Measure:
        field = self.reading.field(self._resource, name)
        fits = field.kind in NUMBERS if function in ("sum", "avg") else KINDS[field.kind].extremes
        if not fits:
            raise TypeError(f"{self._resource.name}.{name} is of the kind {field.kind}, which has no {function}")
        return Measure(function, name)

    def _having(self, having: Mapping[str, Any] | None) -> tuple[tuple[Measure, Operator, int], ...]:
        found: list[tuple[Measure, Operator, int]] = []
        for function, wanted in (having or {}).items():
            if function == "count":
                found += self._having_tests(Measure("count"), None, wanted)
            elif function in ("sum", "avg", "min", "max"):
                for name, tests in wanted.items():
                    measure = self._measure(cast("Function", function), name)
                    found += self._having_tests(measure, self._resource.fields_by_name[name], tests)
            else:
                raise TypeError(f"having takes count, sum, avg, min and max, not {function!r}")
        return tuple(found)

    def _having_tests(
        self, measure: Measure, field: FieldPlan | None, tests: Any
    ) -> list[tuple[Measure, Operator, int]]:
        wanted: Mapping[str, Any] = cast("Mapping[str, Any]", tests) if isinstance(tests, Mapping) else {"eq": tests}
        found: list[tuple[Measure, Operator, int]] = []
        for operator, value in wanted.items():
            if operator not in _HAVING:
                raise TypeError(f"having has no operator {operator!r}; it has {', '.join(_HAVING)}")
            if measure.function in ("count", "avg") and (
                isinstance(value, bool) or not isinstance(value, int if field is None else (int, float, Decimal))
            ):
                raise TypeError(f"having compares {measure.function} with a number, not with {type(value).__name__}")
            whole = field is None or measure.function == "avg"
            wanted_value = (
                value if whole else self.reading.checks.stored(self._resource, cast("FieldPlan", field), value)
            )
            found.append((measure, cast("Operator", operator), self.reading.slot(wanted_value)))
        return found

    def _group_order(self, entry: str, by: Sequence[str]) -> tuple[Measure, bool]:
        function, _, name = entry.removeprefix("-").partition(".")
        if function == "count" and not name:
            measure = Measure("count")
        elif name and function in ("sum", "avg", "min", "max"):
            measure = self._measure(cast("Function", function), name)
        elif not name and function in by:
            measure = Measure("by", function)
        else:
            raise TypeError(
                f'Groups are ordered by "count", by a field of by, or by such as "sum.total", not {entry!r}'
            )
        return measure, entry.startswith("-")


def group_of(measures: Sequence[Measure], row: Sequence[Any]) -> Group[Any]:
    """A group from the values of its measures."""
    parts: dict[str, dict[str, Any]] = {"by": {}, "sum": {}, "avg": {}, "min": {}, "max": {}}
    count = 0
    for measure, value in zip(measures, row, strict=True):
        if measure.function == "count":
            count = value
        else:
            parts[measure.function][measure.field] = value
    return Group(parts["by"], count, parts["sum"], parts["avg"], parts["min"], parts["max"])
