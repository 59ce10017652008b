"""Shapes: what operations take, give and can be asked for, in each version of an API."""

from __future__ import annotations

from shop.app import app as shop

from sternpost.plan.model import Plan
from sternpost.plan.shapes import InputShape, Member
from tests.support.versioned import app as versioned

SHOP = shop.compiled.plan


def takes(plan: Plan, operation: str) -> InputShape:
    found = plan.operations[operation][1].takes
    assert found is not None
    return found


def test_inputs_by_kind_of_operation() -> None:
    create, update = takes(SHOP, "orders.create"), takes(SHOP, "orders.update")
    items = next(each for each in create.lists if each.name == "items")
    assert (create.name, create.partial, update.partial) == ("OrderCreate", False, True)
    assert items.items is not None
    assert Member("quantity", "quantity", required=True) in items.items.members
    assert not any(each.required for each in (*update.members, *update.lists)), "a merge patch may leave all out"
    assert "status" in create.read_only
    assert create.from_caller == ("user_id",)
    assert update.from_caller == ()


def test_reads_and_lists() -> None:
    resource, browse = SHOP.operations["orders.browse"]
    assert browse.query is not None
    assert browse.query.page_size == browse.page_size
    assert dict(browse.query.rows.sorts).keys() == {resource.fields_by_name[name].public_name for name in browse.sort}
    read = SHOP.operations["orders.read"][1].query
    assert read is not None
    assert (read.page_size, read.rows.filters) == (None, ())
    assert SHOP.operations["orders.create"][1].query is None
    items = next(each for each in resource.shape.output.relations if each.name == "items")
    assert items.rows is not None
    assert next(each for each in resource.shape.output.relations if each.kind == "one").rows is None


def test_each_version_has_its_own() -> None:
    newest, older = versioned.compiled.plan, [version.plan for version in versioned.compiled.older]
    names = {tuple(member.public_name for member in takes(plan, "people.create").members) for plan in (newest, *older)}
    assert len(names) == 1 + len(older)


def test_shapes_are_no_part_of_the_plan_as_data() -> None:
    resource = SHOP.as_data()["resources"][0]
    assert "shape" not in resource
    assert not {"takes", "query"} & resource["operations"][0].keys()
    assert hash(SHOP.resources[0].shape) == hash(shop.compiled.plan.resources[0].shape)
