"""Validates inputs at the edge: a Pydantic model for each shape of an input, built once at start.

Types are strict (`"5"` is not a number), unknown members are refused, and every problem is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from sternpost.errors import Detail, Invalid
from sternpost.exact_json import loads, may_have_long_numbers
from sternpost.ids import pattern as id_pattern
from sternpost.kinds import (
    KEY_MAX,
    KINDS,
    WRITERS,
    Unfit,
    decimal_limits,
    decimal_pattern,
    parse_json,
    parse_text,
)
from sternpost.pipeline.attributes import attribute, field_of
from sternpost.pipeline.withheld import Guards, guards_of
from sternpost.plan.model import (
    FieldPlan,
    ListOf,
    MapOf,
    ObjectOf,
    OperationPlan,
    PayloadPlan,
    Plan,
    ResourcePlan,
    Structure,
)
from sternpost.plan.shapes import InputShape, ListMember, Member
from sternpost.plan.structures import exact, holds_json, items_of
from sternpost.plan.values import from_plan

EMAIL_LOCAL_MAX = 64
"""Characters before the @ (RFC 5321, 4.5.3.1.1)."""

PROBLEMS_EXAMINED_MAX = 1000
NOTHING: frozenset[str] = frozenset()
NAME_SHOWN_MAX = 64
"""Characters shown of a name that the client chose."""

_CONFIG = ConfigDict(
    extra="forbid",
    strict=True,
    validate_by_alias=True,
    validate_by_name=False,
    arbitrary_types_allowed=True,
    protected_namespaces=(),  # `attribute` keeps clear of them
)


@dataclass(frozen=True, slots=True)
class _JsonMembers:
    """Where in an input there is JSON of the client's own: the numbers in it keep digits that no other field has.

    Attributes:
        names: of fields, each with its name in JSON and what it is.
        lists: lists of items that have such fields, each with its name in JSON.
    """

    names: tuple[tuple[str, str, FieldPlan], ...]
    lists: tuple[tuple[str, str, _JsonMembers], ...]

    def take(self, values: dict[str, Any], sent: Mapping[str, Any], path: str = "") -> None:
        """Replaces what the validator has read, whose numbers are binary, by the same members of a more exact
        reading. Raises `Invalid` for a number that is too long."""
        for name, public_name, field in self.names:
            if name in values and public_name in sent:
                try:
                    values[name] = exact(field, values[name], sent[public_name])
                except Unfit as error:
                    raise Invalid(details=[Detail(path + public_name, error.code, error.message)]) from None
        for name, public_name, inner in self.lists:
            items = zip(values.get(name) or (), sent.get(public_name) or (), strict=True)
            for index, (item, sent_item) in enumerate(items):
                inner.take(item, sent_item, f"{path}{public_name}.{index}.")


@dataclass(frozen=True, slots=True)
class Input:
    """Reads the input of an operation.

    Attributes:
        filled_in: fields that the database fills in where they are not sent.
        guards: what its members ask of the caller; None where they ask nothing.
        upgrade: for an older version of the API: makes the newest version's values of its own.
        json: where in it JSON of the client's own is; None where there is none.
    """

    model: type[BaseModel]
    shape: InputShape
    filled_in: frozenset[str]
    guards: Guards | None = None
    upgrade: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    json: _JsonMembers | None = None

    def parse(
        self, body: bytes | dict[str, Any] | None, scopes: frozenset[str]
    ) -> tuple[dict[str, Any], frozenset[str]]:
        """The values by field name, with a merge patch only those that were sent; and the names of those that are not
        there because a caller with these scopes has no say in them.

        Raises:
            Invalid: with every problem.
            Forbidden: the caller may not set a member that was sent.
        """
        try:
            validator = self.model.__pydantic_validator__  # `model_validate_json` looks at its options once more
            is_data = isinstance(body, dict)
            parsed: BaseModel = validator.validate_python(body) if is_data else validator.validate_json(body or b"")
        except ValidationError as error:
            raise Invalid(details=self._details(error)) from None
        names = parsed.model_fields_set if self.shape.partial else type(parsed).model_fields
        if self.filled_in:
            names = [name for name in names if name in parsed.model_fields_set or field_of(name) not in self.filled_in]
        held = parsed.__dict__
        values = {field_of(name): held[name] if type(held[name]) is str else _plain(held[name]) for name in names}
        if self.json is not None and isinstance(body, bytes) and may_have_long_numbers(body):
            self.json.take(values, loads(body))
        withheld = NOTHING if self.guards is None else self.guards.check(parsed, values, scopes)
        return values if self.upgrade is None else self.upgrade(values), withheld

    def _details(self, error: ValidationError) -> list[Detail]:
        count = error.error_count()
        if count > PROBLEMS_EXAMINED_MAX:  # listing them all would take too long
            return [Detail("", "too_many_problems", f"There are {count} problems; they are not listed")]
        details: list[Detail] = []
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            path = ".".join(str(part)[:NAME_SHOWN_MAX] for part in problem["loc"])
            details.append(Detail(path, *self._explained(problem)))
        return details

    def _explained(self, problem: ErrorDetails) -> tuple[str, str]:
        if problem["type"] != "extra_forbidden":
            return problem["type"], problem["msg"].removeprefix("Value error, ")
        if len(problem["loc"]) == 1 and problem["loc"][0] in self.shape.create_only:
            return "read_only", "This field can only be set when the row is created; leave it out"
        if problem["loc"][-1] in self.shape.read_only:
            return "read_only", "The server sets this field; leave it out"
        return "unknown_field", "There is no field of this name"


class Inputs:
    """Builds the inputs of a plan's operations."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._objects: dict[str, type[BaseModel]] = {}

    def of(self, resource: ResourcePlan, operation: OperationPlan) -> Input | None:
        """For an operation; None where it takes no input."""
        shape = operation.takes
        if shape is None:
            return None
        payload = operation.input
        fields = resource.fields_by_name if payload is None else {field.name: field for field in payload.fields}
        filled_in = frozenset(member.name for member in shape.members if member.filled_in)
        guards, json = guards_of(self.plan, shape), self._json_members(shape, fields)
        return Input(self._model(shape, fields), shape, filled_in, guards, json=json)

    def part(self, whole: Input, resource: ResourcePlan, operation: OperationPlan, names: frozenset[str]) -> Input:
        """Reads some members of an input alone, as the whole does."""
        payload = operation.input
        fields = resource.fields_by_name if payload is None else {field.name: field for field in payload.fields}
        members = tuple(member for member in whole.shape.members if member.name in names)
        shape = replace(whole.shape, members=members, lists=())
        return replace(whole, model=self._model(shape, fields), shape=shape, filled_in=NOTHING, guards=None, json=None)

    def _json_members(self, shape: InputShape, fields: Mapping[str, FieldPlan]) -> _JsonMembers | None:
        names = tuple(
            (each.name, each.public_name, fields[each.name]) for each in shape.members if holds_json(fields[each.name])
        )
        lists = [
            (each.name, each.public_name, inner)
            for each in shape.lists
            if each.items is not None
            and (inner := self._json_members(each.items, self.plan.by_name[each.target].fields_by_name)) is not None
        ]
        return _JsonMembers(names, tuple(lists)) if names or lists else None

    def text_value(self, field: FieldPlan) -> Callable[[str], Any]:
        """Turns the text of a query parameter into a value of the field; raises `ValueError` with a sentence."""
        value = items_of(field) or field
        return _text_parser(value, self._value_type(value))

    def _model(self, shape: InputShape, fields: Mapping[str, FieldPlan]) -> type[BaseModel]:
        definitions: dict[str, Any] = {
            attribute(member.name): self._definition(member, fields[member.name]) for member in shape.members
        }
        definitions.update({attribute(each.name): self._list_definition(each) for each in shape.lists})
        return create_model(shape.name, __config__=_CONFIG, **definitions)

    def _definition(self, member: Member, field: FieldPlan) -> tuple[Any, Any]:
        annotation: Any = self._value_type(field)
        if field.nullable:
            annotation = annotation | None
        if member.required:
            return annotation, Field(alias=member.public_name)
        return annotation, Field(default=from_plan(field, field.default), alias=member.public_name)

    def _list_definition(self, each: ListMember) -> tuple[Any, Any]:
        target = self.plan.by_name[each.target]
        item: Any = _id_type(target.prefix) if each.items is None else self._model(each.items, target.fields_by_name)
        annotation = Annotated[list[item], Field(min_length=each.min_items, max_length=each.max_items)]
        if each.required:
            return annotation, Field(alias=each.public_name)
        return annotation, Field(default_factory=list, alias=each.public_name)

    def _value_type(self, field: FieldPlan) -> Any:
        if field.structure is not None:
            return self._structured(field.structure)
        match field.kind:
            case "id":
                return _id_type(self.plan.by_name[str(field.references)].prefix)
            case "string":
                constraints = StringConstraints(
                    min_length=field.min_length, max_length=field.max_length, pattern=field.pattern
                )
                checks = (
                    AfterValidator(_no_nul),
                    *((AfterValidator(_email_local),) if field.format == "email" else ()),
                )
                return Annotated[str, constraints, *checks]
            case "integer":
                return Annotated[
                    int, BeforeValidator(_whole), Field(ge=cast("int", field.minimum), le=cast("int", field.maximum))
                ]
            case "number":
                return Annotated[
                    float,
                    Field(
                        ge=cast("float | None", field.minimum),
                        le=cast("float | None", field.maximum),
                        allow_inf_nan=False,
                    ),
                ]
            case "boolean":
                return bool
            case "decimal":
                return Annotated[str, BeforeValidator(_as_text), AfterValidator(_decimal_parser(field))]
            case "datetime" | "date" | "time" | "duration":
                return Annotated[str, AfterValidator(_from_text(field)), AfterValidator(_bounds(field))]
            case "uuid" | "ip":
                return Annotated[str, AfterValidator(_from_text(field))]
            case "bytes":
                return Annotated[str, AfterValidator(_from_text(field)), AfterValidator(_byte_count(field))]
            case "enum":
                return Literal[field.choices]
            case "json":
                return Annotated[_JSON_TYPES[field.json_type], AfterValidator(_said(parse_json))]

    # -- JSON of which each part is declared: what comes out of these validators is JSON-ready

    def _structured(self, structure: Structure) -> Any:
        match structure:
            case ListOf(items, least, most):
                return Annotated[list[self._part(items)], Field(min_length=least, max_length=most)]
            case MapOf(values, least, most):
                return Annotated[dict[_KEY, self._part(values)], Field(min_length=least, max_length=most)]
            case ObjectOf(payloads, None):
                return Annotated[self._object(payloads[0]), AfterValidator(_to_document)]
            case ObjectOf(payloads, discriminator):
                first, *others = map(self._object, payloads)
                models: Any = first
                for other in others:
                    models |= other
                told_apart = Field(discriminator=attribute(str(discriminator)))
                return Annotated[models, told_apart, AfterValidator(_to_document)]

    def _part(self, field: FieldPlan) -> Any:
        annotation: Any = self._value_type(field)
        if field.kind in WRITERS:
            annotation = Annotated[annotation, AfterValidator(partial(WRITERS[field.kind], field))]
        return annotation | None if field.nullable else annotation

    def _object(self, payload: PayloadPlan) -> type[BaseModel]:
        known = self._objects.get(payload.name)
        if known is not None:
            return known
        members: dict[str, Any] = {}
        for field in payload.fields:
            given = Field(alias=field.public_name) if field.required else Field(field.default, alias=field.public_name)
            members[attribute(field.name)] = (self._part(field), given)
        made = self._objects[payload.name] = create_model(payload.name, __config__=_CONFIG, **members)
        return made


_JSON_TYPES: Mapping[str | None, Any] = {None: Any, "object": dict[str, Any], "array": list[Any]}


def _to_document(value: BaseModel) -> dict[str, Any]:
    held = value.__dict__
    return {str(field.alias): held[name] for name, field in type(value).model_fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        items = cast("list[Any]", value)
        # JSON, which may be long, holds none
        return [_plain(item) for item in items] if items and isinstance(items[0], BaseModel) else items
    if isinstance(value, BaseModel):
        return {field_of(name): _plain(getattr(value, name)) for name in type(value).model_fields}
    return value


def _id_type(prefix: str) -> Any:
    start = len(prefix) + 1
    return Annotated[str, StringConstraints(pattern=id_pattern(prefix)), AfterValidator(lambda text: text[start:])]


def _said(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader of texts as a validator: what it refuses keeps its code."""

    def validate(text: str) -> Any:
        try:
            return parse(text)
        except Unfit as error:
            raise PydanticCustomError(error.code, error.message) from None

    return validate


_no_nul = _said(parse_text)
_KEY = Annotated[str, StringConstraints(max_length=KEY_MAX), AfterValidator(_no_nul)]


def _from_text(field: FieldPlan) -> Callable[[str], Any]:
    """What reads a value that JSON has as a text."""
    from_text = KINDS[field.kind].from_text
    assert from_text is not None, "the kind is written as text"
    return _said(from_text(field))


def _byte_count(field: FieldPlan) -> Callable[[bytes], bytes]:
    least, most = field.min_length or 0, field.max_length

    def check(value: bytes) -> bytes:
        if len(value) < least:
            raise PydanticCustomError("too_short", "Input should have at least {least} bytes", {"least": least})
        if most is not None and len(value) > most:
            raise PydanticCustomError("too_long", "Input should have at most {most} bytes", {"most": most})
        return value

    return check


def _email_local(text: str) -> str:
    if text.index("@") > EMAIL_LOCAL_MAX:
        raise PydanticCustomError(
            "email_local", "The part before the @ has more than {most} characters", {"most": EMAIL_LOCAL_MAX}
        )
    return text


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: 5.0 is the integer 5 (JSON Schema, 6.1.1)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_text(value: Any) -> Any:
    """Many clients read a number of JSON as a binary one, in which 0.1 is not exact: a decimal is a text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise PydanticCustomError("decimal_type", 'Input should be a decimal number as text, such as "12.50"')
    return value


def _bounds(field: FieldPlan) -> Callable[[Any], Any]:
    low, high = from_plan(field, field.minimum), from_plan(field, field.maximum)

    def check(value: Any) -> Any:
        if low is not None and value < low:
            raise PydanticCustomError(
                "greater_than_equal", "Input should not be before {bound}", {"bound": str(field.minimum)}
            )
        if high is not None and value > high:
            raise PydanticCustomError(
                "less_than_equal", "Input should not be after {bound}", {"bound": str(field.maximum)}
            )
        return value

    return check if low is not None or high is not None else lambda value: value


def _decimal_parser(field: FieldPlan) -> Callable[[str], Decimal]:
    matches = re.compile(decimal_pattern(field)).fullmatch
    limits, example = decimal_limits(field)
    low = None if field.minimum is None else Decimal(str(field.minimum))
    high = None if field.maximum is None else Decimal(str(field.maximum))

    def parse(text: str) -> Decimal:
        if not matches(text):
            raise PydanticCustomError(
                "decimal_format",
                'Input should be a decimal number as text with {limits}, such as "{example}"',
                {"limits": limits, "example": example},
            )
        value = Decimal(text)
        if low is not None and value < low:
            raise PydanticCustomError(
                "greater_than_equal", "Input should be greater than or equal to {bound}", {"bound": str(low)}
            )
        if high is not None and value > high:
            raise PydanticCustomError(
                "less_than_equal", "Input should be less than or equal to {bound}", {"bound": str(high)}
            )
        return value

    return parse


def _text_parser(field: FieldPlan, annotation: Any) -> Callable[[str], Any]:
    """A filter may ask for any value of the kind: the field's own bounds would only turn an empty answer into
    an error."""
    from_text = KINDS[field.kind].from_text
    if from_text is not None:
        return from_text(field)
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    def parse(text: str) -> Any:
        try:
            return adapter.validate_strings(text)
        except ValidationError as error:
            raise ValueError(error.errors(include_url=False)[0]["msg"]) from None

    return parse
