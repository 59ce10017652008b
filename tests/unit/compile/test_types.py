"""What annotations mean."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, Optional, Union
from uuid import UUID

import pytest

from sternpost import Email, Format, IPAddress, Json, Many, One, Owned, Resource, Url
from sternpost.compile.diagnostics import Report
from sternpost.compile.types import FieldType, RelationType, read_type


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


class Plain(Enum):
    YES = "yes"
    NO = "no"


def read(annotation: Any) -> FieldType | RelationType | None:
    """The meaning of one annotation, given as an object or as source text."""

    class Thing(Resource):
        pass

    Thing.__declaration__.annotations["value"] = annotation
    return read_type(Thing.__declaration__, "value", {}, Report())


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (str, "string"),
        (int, "integer"),
        (float, "number"),
        (bool, "boolean"),
        (Decimal, "decimal"),
        (datetime, "datetime"),
        (date, "date"),
        (time, "time"),
        (timedelta, "duration"),
        (bytes, "bytes"),
        (IPAddress, "ip"),
        (UUID, "uuid"),
        (Any, "json"),
        ("str", "string"),
        ("Decimal", "decimal"),
    ],
)
def test_kinds(annotation: Any, kind: str) -> None:
    assert read(annotation) == FieldType(kind, nullable=False)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("annotation", "json_type"), [(dict, "object"), (dict[str, Any], "object"), (list, "array"), ("list[Any]", "array")]
)
def test_json_of_one_type(annotation: Any, json_type: Any) -> None:
    assert read(annotation) == FieldType("json", nullable=False, json_type=json_type)


@pytest.mark.parametrize("annotation", [dict[int, Any], list[tuple[str]], list[int | str], dict[str, set[str]]])
def test_what_holds_values_that_nothing_would_check_is_no_type(annotation: Any) -> None:
    assert read(annotation) is None


TEXT = FieldType("string", nullable=False)


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (list[str], FieldType("json", nullable=False, json_type="array", items=TEXT)),
        ("dict[str, str] | None", FieldType("json", nullable=True, json_type="object", items=TEXT)),
        (
            list[list[str] | None],
            FieldType(
                "json",
                nullable=False,
                json_type="array",
                items=FieldType("json", nullable=True, json_type="array", items=TEXT),
            ),
        ),
        (list["str"], FieldType("json", nullable=False, json_type="array", items=TEXT)),
    ],
)
def test_lists_and_dictionaries(annotation: Any, found: FieldType) -> None:
    assert read(annotation) == found


def test_null_is_one_of_the_values_of_json() -> None:
    assert read(Json) == FieldType("json", nullable=True)


@pytest.mark.parametrize(
    "annotation", [str | None, None | str, Optional[str], Union[str, None], "str | None", "Optional[str]"]
)
def test_nullable(annotation: Any) -> None:
    assert read(annotation) == FieldType("string", nullable=True)


@pytest.mark.parametrize(
    ("annotation", "choices"),
    [(Literal["a", "b"], ("a", "b")), (Level, ("low", "high")), (Plain, ("yes", "no")), ("Literal['x']", ("x",))],
)
def test_enums(annotation: Any, choices: tuple[str, ...]) -> None:
    assert read(annotation) == FieldType("enum", nullable=False, choices=choices)


def test_formats() -> None:
    own = Format("hex", "^[0-9a-f]+$", 64)
    assert read(Annotated[str, own]) == FieldType("string", nullable=False, format=own)
    assert read(Annotated[str, "a remark", own] | None) == FieldType("string", nullable=True, format=own)
    for annotation, name in ((Email, "email"), (Url, "uri")):
        found = read(annotation)
        assert isinstance(found, FieldType)
        assert found.format is not None
        assert found.format.name == name


@pytest.mark.parametrize(
    ("annotation", "form", "nullable"),
    [
        (One["User"], "one", False),
        (One["User"] | None, "one", True),
        (Many["User"], "many", False),
        (Owned["User"], "owned", False),
        ("One[User]", "one", False),
        ("One['User'] | None", "one", True),
    ],
)
def test_relations(annotation: Any, form: str, nullable: bool) -> None:
    assert read(annotation) == RelationType(form, "User", nullable)  # pyright: ignore[reportArgumentType]


class User:
    """So that `One[User]` has something to resolve to."""


@pytest.mark.parametrize(
    "annotation",
    [
        bytearray,
        IPv4Address,
        set[str],
        int | str,
        int | str | None,
        One,
        complex,
        object,
        5,
        "Missing",
        "str |",
        Many[User] | None,
        Literal[1],
        Annotated[int, Format("x", "a", 1)],
    ],
)
def test_what_means_nothing_is_told(annotation: Any) -> None:
    class Thing(Resource):
        pass

    Thing.__declaration__.annotations["value"] = annotation
    report = Report()
    assert read_type(Thing.__declaration__, "value", {}, report) is None
    assert [diagnostic.code[:3] for diagnostic in report.diagnostics] == ["SP2"]
