"""Checks what limits a value, and what it consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sternpost.compile.decimals import check_digits, digits_max, digits_of
from sternpost.compile.diagnostics import Report
from sternpost.compile.names import a, camel, listed
from sternpost.compile.options import Add, Shape, is_whole, shown, well_typed
from sternpost.compile.patterns import wrong_pattern
from sternpost.compile.types import FieldType
from sternpost.contract.resource import Declaration, Payload
from sternpost.contract.source import Source, attribute_source
from sternpost.kinds import EXTERNAL_ITEMS_MAX, EXTERNAL_TEXT_MAX, ITEMS_MAX, KINDS, TEXT_MAX
from sternpost.plan.model import FieldPlan, Kind, ListOf, MapOf, ObjectOf, PayloadPlan

_LENGTHS = {"min_length": 1, "max_length": 100, "decimal_places": 2, "max_digits": 12, "min_items": 1, "max_items": 20}
_ITEMS = ("min_items", "max_items")
_BOUNDS = ("min_length", "max_length", "pattern", "ge", "le", "decimal_places", "max_digits")


class ValueCompiler:
    """Compiles the values of one class; mistakes go to `report`."""

    def __init__(
        self, declaration: Declaration, report: Report, payload: Callable[[type], PayloadPlan], *, external: bool
    ) -> None:
        self.declaration = declaration
        self.report = report
        self.payload = payload
        self.external = external
        self.items_max = EXTERNAL_ITEMS_MAX if external else ITEMS_MAX
        self.digits_max = digits_max(external=external)
        self.text_max = EXTERNAL_TEXT_MAX if external else TEXT_MAX

    def typed(self, name: str, options: dict[str, Any], shapes: dict[str, Shape]) -> dict[str, Any]:
        """The options of one declaration without those of a wrong type, which are reported."""
        return well_typed(options, shapes, self._adder(name))

    def _value(self, name: str, found: FieldType, options: dict[str, Any]) -> FieldPlan:
        """A value that consists of no others but those of a payload; what limits it are the options of its field."""
        kind = KINDS[found.kind]
        minimum, maximum = self._bounds(name, found.kind, options)
        return FieldPlan(
            name=name,
            public_name=camel(name),
            kind=found.kind,
            nullable=found.nullable,
            required=True,
            min_length=options.get("min_length"),
            max_length=self._max_length(found, options),
            pattern=options.get("pattern") or (found.format.pattern if found.format else None),
            format=found.format.name if found.format else None,
            minimum=minimum,
            maximum=maximum,
            decimal_places=options.get("decimal_places"),
            max_digits=digits_of(options) if "max_digits" in kind.bounds else None,
            choices=found.choices,
            labels=tuple((value, options["labels"][value]) for value in found.choices) if options.get("labels") else (),
            ranks=found.choices if options.get("ordered") else (),
            json_type=found.json_type,
            structure=self._object(name, found.payloads),
        )

    def _structured(self, name: str, found: FieldType, value: FieldPlan, options: Mapping[str, Any]) -> FieldPlan:
        """The value, in the lists and dictionaries that it stands in; the outermost has so many items."""
        if found.items is None:
            return value
        inner = self._structured(name, found.items, value, {})
        least, most = options.get("min_items") or 0, options.get("max_items") or self.items_max
        form = ListOf if found.json_type == "array" else MapOf
        return FieldPlan(
            name=name,
            public_name=camel(name),
            kind=found.kind,
            nullable=found.nullable,
            required=True,
            json_type=found.json_type,
            structure=form(inner, least, most),
        )

    def _object(self, name: str, classes: tuple[type[Payload], ...]) -> ObjectOf | None:
        """The payloads that an object may be."""
        if not classes:
            return None
        payloads = tuple(self.payload(cls) for cls in classes)
        if len(payloads) == 1:
            return ObjectOf(payloads)
        tags = [{each.name: each.choices for each in payload.fields if len(each.choices) == 1} for payload in payloads]
        told_apart = [
            tag
            for tag in tags[0]
            if all(tag in each for each in tags) and len({each[tag] for each in tags}) == len(payloads)
        ]
        if len(told_apart) != 1:
            self._add(
                name,
                "SP225",
                f"{listed(payload.name for payload in payloads)} cannot be told apart"
                if not told_apart
                else f"{listed(payload.name for payload in payloads)} are told apart by several fields, "
                f"{listed(told_apart)}",
                'give each of them one field with a value of its own, such as kind: Literal["card"]',
            )
            return ObjectOf(payloads[:1])
        return ObjectOf(payloads, told_apart[0])

    def _check_constraints(self, name: str, found: FieldType, options: dict[str, Any], *, computed: bool) -> None:
        kind = found.leaf.kind
        bounds = (*KINDS[kind].bounds, *(_ITEMS if found.items is not None else ()))
        for option in (*_BOUNDS, *_ITEMS):
            if options.get(option) is not None and option not in bounds:
                those = ("list[…]", "dict[str, …]") if option in _ITEMS else _kinds_with(option)
                self._add(
                    name,
                    "SP204",
                    f"{option} does not apply to {a(kind)}",
                    f"remove {option}; it is only for {listed(those)}",
                    option,
                )
                options[option] = None
        for option, example in _LENGTHS.items():
            value = options.get(option)
            least = 1 if option in ("max_length", "max_digits", "max_items") else 0
            if value is not None and (not is_whole(value) or value < least):
                self._add(
                    name,
                    "SP217",
                    f"{option}={shown(value)} is not a whole number of at least {least}",
                    f"write, for example, {option}={example}",
                    option,
                )
                options[option] = None
                if option == "decimal_places":
                    computed = True  # report the mistake once: do not also report that it is missing
        if (options.get("min_items") or 0) > (most_items := options.get("max_items") or self.items_max):
            said = "" if options.get("max_items") else ", the default maximum"
            self._add(
                name,
                "SP205",
                f"min_items={options['min_items']} is greater than max_items={most_items}{said}",
                "make min_items smaller or max_items greater",
                "min_items",
            )
        if "pattern" in bounds:
            self._check_pattern(name, options)
        if "max_length" in bounds:
            most = self._max_length(found.leaf, options) or self.text_max
            if (options.get("min_length") or 0) > most:
                said = "" if options.get("max_length") else ", the default maximum"
                self._add(
                    name,
                    "SP205",
                    f"min_length={options['min_length']} is greater than max_length={most}{said}",
                    "make min_length smaller or max_length greater",
                    "min_length",
                )
        if "decimal_places" in bounds and not computed:  # a computed value takes its places from its factors
            check_digits(options, self.digits_max, self._adder(name))

    def _check_pattern(self, name: str, options: dict[str, Any]) -> None:
        pattern = options.get("pattern")
        reason = wrong_pattern(pattern) if pattern is not None else None
        if reason is not None:
            self._add(
                name,
                "SP207",
                f"the pattern {shown(pattern)} cannot be used: {reason}",
                'correct it; an example of a valid pattern is "^[a-z]+$"',
                "pattern",
            )
            options["pattern"] = None

    def _bounds(self, name: str, kind: Kind, options: dict[str, Any]) -> tuple[Any, Any]:
        low, high = (self._bound(name, kind, option, options.get(option)) for option in ("ge", "le"))
        read = KINDS[kind].read
        if low is not None and high is not None and read(low) > read(high):
            self._add(
                name,
                "SP205",
                f"ge={options['ge']} is greater than le={options['le']}",
                "make ge smaller or le greater",
                "ge",
            )
        return (KINDS[kind].least if low is None else low), (KINDS[kind].most if high is None else high)

    def _bound(self, name: str, kind: Kind, option: str, value: Any) -> Any:
        known = KINDS[kind]
        if value is None or option not in known.bounds:
            return None
        converted = known.constant(value, None)
        if converted is None or ("max_digits" in known.bounds and Decimal(converted).adjusted() >= self.digits_max):
            self._add(
                name,
                "SP206",
                f"{option}={shown(value)} is not {known.described}",
                f"write, for example, {option}={known.example}",
                option,
            )
            return None
        return converted

    def _max_length(self, found: FieldType, options: dict[str, Any]) -> int | None:
        if "max_length" not in KINDS[found.kind].bounds:
            return None
        return options.get("max_length") or (found.format.max_length if found.format else self.text_max)

    def where(self, name: str, keyword: str | None = None) -> Source:
        return attribute_source(self.declaration.source, self.declaration.name, name, keyword)

    def _adder(self, name: str) -> Add:
        return lambda option, code, message, fix: self._add(name, code, message, fix, option)

    def _add(self, name: str, code: str, message: str, fix: str, keyword: str | None = None) -> None:
        self.report.add(self.where(name, keyword), code, f"{self.declaration.name}.{name}: {message}", fix)


def _kinds_with(bound: str) -> list[str]:
    return [kind.name for kind in KINDS.values() if bound in kind.bounds]
