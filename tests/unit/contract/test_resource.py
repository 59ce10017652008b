"""Resources and relations in an author's own code."""

from __future__ import annotations

import pytest

from sternpost import Custom, Many, NotLoaded, One, Owned, Payload, Resource, authenticated, field, implements, many
from sternpost.contract.implements import MARK
from sternpost.contract.relations import RelationDeclaration
from sternpost.contract.resource import declarations


class Base(Resource, abstract=True):
    name: str
    ping = Custom(allow=authenticated)


class User(Base, prefix="usr"):
    orders: Many[Order] = many()
    size: int = field(default=0)


class Order(Resource, prefix="ord"):
    user: One[User]


class Message(Payload):
    text: str


def test_a_class_notes_what_it_declares_and_nothing_else() -> None:
    noted = User.__declaration__
    assert noted.name == "User"
    assert noted.keywords == {"prefix": "usr"}
    assert list(noted.annotations) == ["orders", "size"]
    assert noted.source.file == __file__
    assert [declaration.name for declaration in declarations(User, Resource)] == ["Base", "User"]


def test_inherited_operations_are_each_class_s_own() -> None:
    assert User.ping == Base.ping
    assert User.ping is not Base.ping
    assert "ping" not in User.__declaration__.attributes


def test_rows_hold_values_and_compare_by_them() -> None:
    assert User(id="usr_1", name="Ada").name == "Ada"
    assert User(id="usr_1") == User(id="usr_1") != User(id="usr_2")
    assert repr(User(id="usr_1")) == "<User usr_1>"
    assert repr(User()) == "<User without id>"
    assert repr(Message(text="a")) == "<Message>"
    with pytest.raises(TypeError):
        hash(User(id="usr_1"))


def test_a_relation_that_is_not_loaded_says_so() -> None:
    with pytest.raises(NotLoaded, match=r"User\.orders is not loaded"):
        _ = User(id="usr_1").orders
    with pytest.raises(NotLoaded, match=r"Order\.user is not loaded"):
        _ = Order(id="ord_1").user
    assert isinstance(User.orders, RelationDeclaration)


def test_an_unknown_attribute_is_an_ordinary_mistake() -> None:
    with pytest.raises(AttributeError, match="Order has no field 'colour'"):
        _ = Order(id="ord_1").colour  # pyright: ignore[reportAttributeAccessIssue]


def test_references_compare_by_id() -> None:
    assert One("usr_1") == One("usr_1") != One("usr_2")
    assert len({One("usr_1"), One("usr_1")}) == 1
    assert repr(One("usr_1")) == "One('usr_1')"


def test_owned_rows_are_a_sequence() -> None:
    rows = Owned(["a", "b", "c"])
    assert (len(rows), rows[0], rows[1:], list(rows), repr(rows)) == (
        3,
        "a",
        ("b", "c"),
        ["a", "b", "c"],
        "Owned(['a', 'b', 'c'])",
    )


def test_implements_marks_a_function_and_leaves_it_as_it_is() -> None:
    async def work(context: object, user: object) -> str:
        return "done"

    assert implements(User.ping)(work) is work
    mark = getattr(work, MARK)
    assert mark.operations == (User.ping,)
    assert mark.source.file == __file__
