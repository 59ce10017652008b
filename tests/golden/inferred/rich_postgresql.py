"""What the database rich holds. Written by `sternpost contract infer`, for you to change."""

# What the database holds and a contract cannot say:
# - adults: it is a view.
# - log_lines: it has no primary key to find a row by.
# - order_lines: its key is made of several columns: order_id, line.
# - settings: its key name is a text of more than 8 characters, which no id can hide.
# - Order: the database alone keeps: (("BillTo" IS NULL) OR ("BillTo" <> "CustomerId")).
# - passports.person_id: as the row's own key it is no reference to people as well.
# - people.photo: the type bytea is not part of a contract.
# - people.address: the type inet is not part of a contract.
# - people.search: the type tsvector is not part of a contract.
# - sales.products.price: the type money is not part of a contract.
# - follows: it links people with itself.

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal
from uuid import UUID

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Json,
    Many,
    One,
    Read,
    Resource,
    Sternpost,
    Update,
    field,
    many,
    one,
    scope,
)


class Order(Resource, prefix="ord", table="Order", unique=[("customer_id", "number")]):
    """A row of Order."""

    # The database alone keeps: (("BillTo" IS NULL) OR ("BillTo" <> "CustomerId"))
    id: str = field(column="Id")
    customer: One[Person] = one(on_delete="cascade", filter=True, column="CustomerId")
    bill_to: One[Person] | None = one(column="BillTo")
    number: int
    status: Literal["draft", "paid", 'it\'s "sent"'] = field(default="draft")
    discount: Decimal | None = field(
        default=0,
        ge=0,
        le=100,
        decimal_places=2,
        max_digits=5,
    )
    total: Decimal = field(ge=Decimal("0.01"), decimal_places=2, max_digits=12)
    weight: Decimal | None = field(decimal_places=3, max_digits=18)
    date: dt.date = field(auto="database")
    class_value: int | None = field(ge=1, le=5, column="class")
    field_value: str | None = field(column="field")
    read_value: bool | None = field(column="read")
    audits: Many[Audit]

    browse = Browse(allow=scope("orders:read"))
    read = Read(allow=scope("orders:read"))
    create = Create(allow=scope("orders:write"))
    update = Update(allow=scope("orders:write"))
    delete = Delete(allow=scope("orders:write"))


class Audit(Resource, prefix="aud", table="audit"):
    """A row of audit."""

    person_id: UUID | None
    # The database declares no reference: this is taken from the name of order_id.
    order: One[Order] | None
    note: str | None

    browse = Browse(allow=scope("audits:read"))
    read = Read(allow=scope("audits:read"))
    create = Create(allow=scope("audits:write"))
    update = Update(allow=scope("audits:write"))
    delete = Delete(allow=scope("audits:write"))


class Country(Resource, prefix="cou", table="countries"):
    """Where people live: 'here' or there."""

    id: str = field(column="code", storage="text")
    name: str = field(unique=True, max_length=80, filter=True)
    people: Many[Person]

    browse = Browse(sort=["name"], allow=scope("countries:read"))
    read = Read(allow=scope("countries:read"))
    # No create: whoever adds a row chooses its key code, and ids are opaque.
    update = Update(allow=scope("countries:write"))
    delete = Delete(allow=scope("countries:write"))


class Passport(Resource, prefix="pas", table="passports"):
    """A row of passports."""

    # person_id is left out: as the row's own key it is no reference to people as well.
    id: str = field(column="person_id", storage="uuid")
    number: str

    browse = Browse(allow=scope("passports:read"))
    read = Read(allow=scope("passports:read"))
    # No create: the key person_id is that of another table's row.
    update = Update(allow=scope("passports:write"))
    delete = Delete(allow=scope("passports:write"))


class Person(Resource, prefix="per", table="people", plural="people"):
    """A row of people."""

    # photo is left out: the type bytea is not part of a contract.
    # address is left out: the type inet is not part of a contract.
    # search is left out: the type tsvector is not part of a contract.
    id: str = field(storage="uuid")
    email: str = field(unique=True, min_length=1, max_length=120, filter=True)
    nickname: str | None = field(
        min_length=2,
        max_length=30,
        description="How friends say",
    )
    mood: Literal["sad", "ok", "happy"] = field(default="ok")
    gender: Literal["f", "m", "x"] | None = field(storage="char")
    country: One[Country] | None = one(
        on_delete="set_null",
        filter=True,
        column="country_code",
    )
    manager: One[Person] | None
    born: dt.date | None
    created_at: dt.datetime = field(filter=True, auto="database")
    local_time: dt.datetime | None = field(storage="timestamp")
    active: bool = field(default=True)
    score: float | None = field(default=0.5)
    tags: list[str] = field(default=[], storage="array")
    profile: Json
    full_name: str | None = field(write="never", auto="database")
    orders_by_customer: Many[Order] = many(by="customer")
    orders_by_bill_to: Many[Order] = many(by="bill_to")
    people: Many[Person]

    browse = Browse(sort=["email", "created_at"], allow=scope("people:read"))
    read = Read(allow=scope("people:read"))
    create = Create(allow=scope("people:write"))
    update = Update(allow=scope("people:write"))
    delete = Delete(allow=scope("people:write"))


class Category(Resource, prefix="cat", table="categories", schema="sales"):
    """A row of sales.categories."""

    title: str
    products: Many[Product] = many(
        through="product_categories",
        columns=["category_id", "product_id"],
    )

    browse = Browse(allow=scope("categories:read"))
    read = Read(allow=scope("categories:read"))
    create = Create(allow=scope("categories:write"))
    update = Update(allow=scope("categories:write"))
    delete = Delete(allow=scope("categories:write"))


class Product(Resource, prefix="pro", table="products", schema="sales"):
    """A row of sales.products."""

    # price is left out: the type money is not part of a contract.
    id: str = field(column="product_id")
    sku: str = field(unique=True, max_length=20, filter=True)
    parent: One[Product] | None = one(column="parent")
    products: Many[Product]
    categories: Many[Category] = many(
        through="product_categories",
        columns=["product_id", "category_id"],
    )

    browse = Browse(sort=["sku"], allow=scope("products:read"))
    read = Read(allow=scope("products:read"))
    create = Create(allow=scope("products:write"))
    update = Update(allow=scope("products:write"))
    delete = Delete(allow=scope("products:write"))


contract = Contract(
    "rich",
    resources=[Order, Audit, Country, Passport, Person, Category, Product],
    schema="external",
)
app = Sternpost(contract)
