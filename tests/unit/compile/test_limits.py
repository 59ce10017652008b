"""Each limit of a declaration: what is just allowed, and what is just not."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest

from sternpost import Browse, Contract, Create, Json, One, Owned, Read, Resource, field, many, public, scope
from sternpost.compile.compiler import compile_contract
from sternpost.compile.diagnostics import ContractError

GREATEST = 2**63 - 1


def codes(contract: Contract) -> list[str]:
    """What it is refused with."""
    try:
        compile_contract(contract)
    except ContractError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]
    return []


def told(code: str | None) -> list[str]:
    return [] if code is None else [code]


def box(annotation: Any, declared: Any) -> Contract:
    """A contract of one class with one field."""
    namespace = {
        "__annotations__": {"value": annotation},
        "value": declared,
        "read": Read(allow=public),
        "create": Create(allow=public),
        "__module__": __name__,
    }
    return Contract("boxes", resources=[type(Resource)("Box", (Resource,), namespace, prefix="box")])


@pytest.mark.parametrize(
    ("annotation", "options", "code"),
    [
        (str, {"min_length": 5, "max_length": 5}, None),
        (str, {"min_length": 6, "max_length": 5}, "SP205"),
        (str, {"min_length": 0}, None),
        (str, {"min_length": -1}, "SP217"),
        (str, {"max_length": 1}, None),
        (str, {"max_length": 0}, "SP217"),
        (str, {"max_length": True}, "SP217"),
        (str, {"min_length": 2, "max_length": 3, "default": "ab"}, None),
        (str, {"min_length": 2, "max_length": 3, "default": "abc"}, None),
        (str, {"min_length": 2, "max_length": 3, "default": "a"}, "SP206"),
        (str, {"min_length": 2, "max_length": 3, "default": "abcd"}, "SP206"),
        (str, {"default": None}, "SP206"),
        (str | None, {"default": None}, None),
        (str, {"pattern": "^[a-z]+$", "default": "ab"}, None),
        (str, {"pattern": "^[a-z]+$", "default": "AB"}, "SP206"),
        (str, {"ge": 1}, "SP204"),
        (int, {"max_length": 1}, "SP204"),
        (int, {"ge": 3, "le": 3}, None),
        (int, {"ge": 4, "le": 3}, "SP205"),
        (int, {"ge": 3, "le": 5, "default": 3}, None),
        (int, {"ge": 3, "le": 5, "default": 5}, None),
        (int, {"ge": 3, "le": 5, "default": 2}, "SP206"),
        (int, {"ge": 3, "le": 5, "default": 6}, "SP206"),
        (int, {"ge": -GREATEST - 1, "le": GREATEST, "default": GREATEST}, None),
        (int, {"le": GREATEST + 1}, "SP206"),
        (int, {"ge": -GREATEST - 2}, "SP206"),
        (int, {"default": True}, "SP206"),
        (bool, {"default": 1}, "SP206"),
        (float, {"ge": 0.5, "le": 0.5}, None),
        (float, {"ge": 0.6, "le": 0.5}, "SP205"),
        (Decimal, {}, "SP208"),
        (Decimal, {"decimal_places": 0}, None),
        (Decimal, {"decimal_places": -1}, "SP217"),
        (Decimal, {"max_digits": 3, "decimal_places": 3}, None),
        (Decimal, {"max_digits": 3, "decimal_places": 4}, "SP205"),
        (Decimal, {"max_digits": 18, "decimal_places": 2}, None),
        (Decimal, {"max_digits": 19, "decimal_places": 2}, "SP205"),
        (Decimal, {"max_digits": 3, "decimal_places": 2, "default": Decimal("9.99")}, None),
        (Decimal, {"max_digits": 3, "decimal_places": 2, "default": Decimal("10.00")}, "SP206"),
        (Decimal, {"max_digits": 3, "decimal_places": 2, "default": Decimal("0.001")}, "SP206"),
        (Literal["a", "b"], {"default": "b"}, None),
        (Literal["a", "b"], {"default": "c"}, "SP206"),
        (Literal["a", "b"], {"unique": True}, None),
        (Literal["a", "b"], {"unique": "nocase"}, "SP213"),
        (str, {"unique": "nocase"}, None),
        (int, {"unique": "nocase"}, "SP213"),
        (Json, {"default": None, "unique": True}, "SP213"),
        (str | None, {"filter": ["isNull"]}, None),
        (str, {"filter": ["isNull"]}, "SP214"),
        (str, {"filter": ["eq", "ge"]}, "SP214"),
        (datetime, {"auto": "created"}, None),
        (date, {"auto": "created"}, "SP215"),
        (int, {"auto": "version"}, None),
        (float, {"auto": "version"}, "SP215"),
        (str, {"read": "boxes:read"}, None),
        (str, {"read": "boxes read"}, "SP506"),
        (str, {"write": scope("boxes:write")}, None),
        (str, {"write": "often"}, "SP216"),
    ],
)
def test_a_field(annotation: Any, options: dict[str, Any], code: str | None) -> None:
    assert codes(box(annotation, field(**options))) == told(code)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"page_size": 1, "max_page_size": 1}, None),
        ({"page_size": 1000, "max_page_size": 1000}, None),
        ({"page_size": 0}, "SP405"),
        ({"page_size": 21, "max_page_size": 20}, "SP405"),
        ({"max_page_size": 1001}, "SP405"),
        ({"timeout": 86_400 * 365}, None),
        ({"timeout": 86_400 * 365 + 1}, "SP412"),
        ({"timeout": 0}, "SP412"),
        ({"timeout": 0.001}, None),
        ({"sort": ["label"]}, None),
        ({"sort": ["-label"]}, "SP404"),
        ({"sort": ["label"], "default_sort": ["-label"]}, None),
        ({"default_sort": ["none"]}, "SP404"),
    ],
)
def test_a_list(options: dict[str, Any], code: str | None) -> None:
    class Box(Resource, prefix="box"):
        label: str
        browse = Browse(allow=public, **options)

    assert codes(Contract("boxes", resources=[Box])) == told(code)


class Part(Resource, prefix="prt"):
    """Part of a box."""

    box: One[Box]  # noqa: F821  (made by each test)
    name: str


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"min_length": 0, "max_length": 1}, None),
        ({"min_length": 3, "max_length": 3}, None),
        ({"max_length": 10_000}, None),
        ({"min_length": -1}, "SP310"),
        ({"min_length": 4, "max_length": 3}, "SP310"),
        ({"max_length": 0}, "SP310"),
        ({"max_length": 10_001}, "SP310"),
    ],
)
def test_an_owned_list(options: dict[str, Any], code: str | None) -> None:
    namespace = {
        "__annotations__": {"parts": Owned[Part]},
        "parts": many(**options),
        "read": Read(allow=public),
        "__module__": __name__,
    }
    owner = type(Resource)("Box", (Resource,), namespace, prefix="box")
    assert codes(Contract("boxes", resources=[owner, Part])) == told(code)


@pytest.mark.parametrize(
    ("batch_max", "code"), [(0, None), (1000, None), (1001, "SP020"), (-1, "SP020"), (True, "SP020")]
)
def test_a_batch(batch_max: int, code: str | None) -> None:
    class Box(Resource, prefix="box"):
        label: str
        read = Read(allow=public)

    assert codes(Contract("boxes", resources=[Box], batch_max=batch_max)) == told(code)
