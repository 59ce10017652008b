"""Every kind of change has its class; every attribute of a plan is compared, or said to be irrelevant."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from shop import services
from shop.contract import contract

from sternpost.compile.compiler import compile_contract
from sternpost.derive import diff
from sternpost.derive.compare import Waiver, judge, read_waivers
from sternpost.derive.diff import COMPARED, IRRELEVANT, compare, policy_from_data
from sternpost.derive.emit import plan_data
from sternpost.errors import StartupError
from sternpost.plan import model
from sternpost.plan.limits import LimitPlan, Whom
from sternpost.plan.policy import (
    AllOf,
    AnyOf,
    Authenticated,
    Compare,
    Not,
    Now,
    Owner,
    PolicyNode,
    Public,
    Scope,
    ValueAt,
    describe,
)

SHOP: dict[str, Any] = orjson.loads(orjson.dumps(plan_data(compile_contract(contract, [services]))))


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(item for item in items if item["name"] == name)


def resource(plan: dict[str, Any], name: str) -> dict[str, Any]:
    return named(plan["resources"], name)


def user(plan: dict[str, Any], field: str) -> dict[str, Any]:
    return named(resource(plan, "User")["fields"], field)


def product(plan: dict[str, Any], field: str) -> dict[str, Any]:
    return named(resource(plan, "Product")["fields"], field)


def browse(plan: dict[str, Any]) -> dict[str, Any]:
    return named(resource(plan, "Product")["operations"], "browse")


def place(plan: dict[str, Any]) -> dict[str, Any]:
    return named(resource(plan, "Order")["operations"], "place")


def status(plan: dict[str, Any]) -> dict[str, Any]:
    return named(resource(plan, "Order")["fields"], "status")


def ranked(plan: dict[str, Any], *values: str) -> None:
    status(plan).update(ranks=[*values])


def items(plan: dict[str, Any]) -> dict[str, Any]:
    return named(resource(plan, "Order")["relations"], "items")


def add_field(plan: dict[str, Any], **more: Any) -> None:
    fields = resource(plan, "Product")["fields"]
    fields.append({**product(plan, "name"), "name": "extra", "public_name": "extra", **more})


def add_relation(plan: dict[str, Any], **more: Any) -> None:
    relation = {**items(plan), "name": "more", "public_name": "more", **more}
    resource(plan, "Order")["relations"].append(relation)


ANYONE = {"policy": "Public"}
KNOWN = {"policy": "Authenticated"}
SCOPED = {"policy": "Scope", "name": "products:read"}
OWN = {"policy": "Owner", "path": ["id"]}
PRICED = {"policy": "Compare", "path": ["price_cents"], "operator": "eq", "value": 1}
NAMED = {"policy": "Compare", "path": ["sku"], "operator": "eq", "value": "x"}


def either(*parts: Any) -> Any:
    return {"policy": "AnyOf", "parts": list(parts)}


def both(*parts: Any) -> Any:
    return {"policy": "AllOf", "parts": list(parts)}


TOWN = {"path": [], "field": "address", "members": ["town"], "all": False}
FULL = {"code": "FULL", "status": 409, "message": "It is full", "fix": "Wait"}

CASES: list[tuple[str, str, Callable[[dict[str, Any]], Any]]] = [
    ("breaking", "version-removed", lambda p: p.update(api_version="v2")),
    ("additive", "version-added", lambda p: p.update(older=[{**deepcopy(SHOP), "api_version": "v0"}])),
    ("breaking", "prefix-changed", lambda p: p.update(base_path="/v1")),
    ("breaking", "batch-narrowed", lambda p: p.update(batch_max=1)),
    ("additive", "batch-widened", lambda p: p.update(batch_max=999)),
    ("breaking", "api-keys-removed", lambda p: p.update(api_keys=False)),
    ("neutral", "text-changed", lambda p: p.update(title="Another")),
    ("neutral", "deprecation-changed", lambda p: p.update(sunset="2030-01-01")),
    ("breaking", "resource-removed", lambda p: p["resources"].remove(resource(p, "Product"))),
    ("breaking", "path-changed", lambda p: resource(p, "Product").update(path="goods")),
    ("breaking", "id-prefix-changed", lambda p: resource(p, "Product").update(prefix="xyz")),
    ("breaking", "unique-added", lambda p: resource(p, "Product").update(unique_together=[["name", "sku"]])),
    ("breaking", "tenant-added", lambda p: resource(p, "Product").update(tenant="name")),
    ("breaking", "field-removed", lambda p: resource(p, "Product")["fields"].remove(product(p, "name"))),
    ("breaking", "field-renamed", lambda p: product(p, "name").update(public_name="title")),
    ("breaking", "required-field-added", lambda p: add_field(p, required=True)),
    ("additive", "field-added", lambda p: add_field(p, required=False)),
    ("breaking", "type-changed", lambda p: product(p, "name").update(kind="integer")),
    ("breaking", "format-changed", lambda p: product(p, "name").update(format="uri")),
    ("breaking", "json-type-changed", lambda p: product(p, "name").update(json_type="object")),
    ("breaking", "structure-changed", lambda p: product(p, "name").update(structure={"payloads": []})),
    ("breaking", "null-in-output", lambda p: product(p, "name").update(nullable=True)),
    ("breaking", "write-narrowed", lambda p: product(p, "name").update(write="create")),
    ("additive", "write-widened", lambda p: status(p).update(write="create")),
    ("additive", "required-removed", lambda p: product(p, "name").update(required=False)),
    ("breaking", "rule-narrowed", lambda p: product(p, "name").update(max_length=1)),
    ("additive", "rule-widened", lambda p: product(p, "name").update(max_length=None)),
    ("breaking", "pattern-changed", lambda p: product(p, "name").update(pattern="^x$")),
    ("breaking", "choice-in-output", lambda p: status(p)["choices"].append("lost")),
    ("additive", "choice-removed-in-output", lambda p: status(p)["choices"].pop()),
    ("neutral", "labels-changed", lambda p: status(p).update(labels=[["draft", "Not sent yet"]])),
    ("breaking", "order-added", lambda p: status(p).update(ranks=["placed", "draft", "paid"])),
    ("breaking", "default-changed", lambda p: status(p).update(default="paid")),
    ("breaking", "unique-added", lambda p: product(p, "name").update(unique=True)),
    ("breaking", "case-ignored", lambda p: product(p, "name").update(ignore_case=True)),
    ("breaking", "case-told-apart", lambda p: user(p, "email").update(ignore_case=False)),
    ("breaking", "read-scope-changed", lambda p: product(p, "name").update(read_scope="x:y")),
    ("breaking", "filter-removed", lambda p: status(p).update(filters=[])),
    ("additive", "filter-added", lambda p: status(p)["filters"].append("more")),
    ("breaking", "sort-removed", lambda p: browse(p).update(sort=[])),
    ("breaking", "default-sort-changed", lambda p: browse(p).update(default_sort=["-sku"])),
    ("breaking", "page-size-narrowed", lambda p: browse(p).update(max_page_size=1)),
    ("additive", "page-size-widened", lambda p: browse(p).update(max_page_size=9999)),
    ("breaking", "page-size-changed", lambda p: browse(p).update(page_size=3)),
    ("breaking", "export-removed", lambda p: browse(p).update(export=False)),
    ("breaking", "method-changed", lambda p: browse(p).update(method="POST")),
    ("breaking", "path-changed", lambda p: browse(p).update(path="/api/v1/x")),
    ("breaking", "status-changed", lambda p: browse(p).update(status=206)),
    ("breaking", "operation-removed", lambda p: resource(p, "Product")["operations"].remove(browse(p))),
    ("breaking", "source-removed", lambda p: place(p).update(sources=[])),
    ("additive", "source-added", lambda p: place(p)["sources"].append("paid")),
    ("breaking", "target-changed", lambda p: place(p).update(target="paid")),
    ("breaking", "timeout-narrowed", lambda p: place(p).update(timeout_seconds=0.1)),
    ("breaking", "http-only", lambda p: place(p).update(uses_request=True)),
    ("breaking", "media-changed", lambda p: place(p).update(redirects=True)),
    ("breaking", "media-changed", lambda p: place(p).update(media={"type": "text/csv", "max_bytes": 9})),
    ("breaking", "match-required", lambda p: place(p).update(require_match=True)),
    ("breaking", "key-required", lambda p: place(p).update(idempotency="required")),
    ("neutral", "soft-delete-changed", lambda p: resource(p, "Product").update(soft_delete=True)),
    ("breaking", "answer-changed", lambda p: place(p).update(returns_nothing=True)),
    ("breaking", "input-changed", lambda p: place(p).update(input={"name": "X", "fields": [], "description": ""})),
    ("breaking", "relation-removed", lambda p: resource(p, "Order")["relations"].remove(items(p))),
    ("breaking", "relation-changed", lambda p: items(p).update(public_name="lines")),
    ("breaking", "items-narrowed", lambda p: items(p).update(max_items=1)),
    ("breaking", "items-narrowed", lambda p: items(p).update(min_items=9)),
    ("breaking", "required-field-added", lambda p: add_relation(p, input_name="more", min_items=1)),
    ("additive", "relation-added", lambda p: add_relation(p, input_name="more", min_items=0)),
    ("additive", "relation-added", lambda p: add_relation(p, input_name=None, min_items=1)),
    ("breaking", "policy-narrowed", lambda p: browse(p).update(policy=SCOPED)),
    ("breaking", "output-changed", lambda p: place(p).update(output_form="list")),
    ("breaking", "output-changed", lambda p: place(p).update(output_rows="User")),
    ("additive", "header-added", lambda p: place(p).update(headers=[["X-A", "a"]])),
    ("additive", "error-added", lambda p: place(p).update(errors=[FULL])),
    ("breaking", "event-removed", lambda p: place(p).update(emits=[])),
    ("additive", "event-added", lambda p: place(p)["emits"].append("order.queued")),
]


@pytest.mark.parametrize(("kind", "code", "mutate"), CASES, ids=[f"{n}-{case[1]}" for n, case in enumerate(CASES)])
def test_each_change_has_its_class(kind: str, code: str, mutate: Callable[[dict[str, Any]], Any]) -> None:
    new = deepcopy(SHOP)
    mutate(new)
    found = {(difference.kind, difference.code) for difference in compare(SHOP, new)}
    assert (kind, code) in found
    if kind != "breaking":
        assert not any(one == "breaking" for one, _ in found), found


def receipt(plan: dict[str, Any], part: str, **more: Any) -> None:
    """A transition that takes, or answers, a payload with one member."""
    member = {**product(plan, "name"), "default": None, **more}
    place(plan)[part] = {"name": "Receipt", "fields": [member], "description": ""}


def listed(plan: dict[str, Any], *, least: int = 0, most: int = 5, **more: Any) -> None:
    """A list of texts in the place of a text."""
    inner = {**product(plan, "name"), "default": None, **more}
    product(plan, "name").update(structure={"items": inner, "min_items": least, "max_items": most})


def variants(plan: dict[str, Any], part: str, *tags: str, discriminator: str = "kind") -> None:
    """A union of objects, told apart by the tags, in the input or output of a transition."""
    tag = {**status(plan), "name": discriminator, "public_name": discriminator, "default": None}
    payloads = [{"name": name.title(), "fields": [{**tag, "choices": [name]}], "description": ""} for name in tags]
    receipt(plan, part, structure={"payloads": payloads, "discriminator": discriminator})


def search(plan: dict[str, Any], *names: str, all: bool = False) -> None:
    browse(plan)["search"] = [{"name": name, "all": all} for name in names]


def related(plan: dict[str, Any], *, all: bool = False) -> None:
    browse(plan)["related"] = [{"path": ["owner"], "field": "name", "all": all}]


def limit(plan: dict[str, Any], **more: Any) -> None:
    """A rate limit of an operation."""
    made = LimitPlan("address-minute", "fixed_window", 100, 60_000_000, (Whom("address"),))
    place(plan)["limits"] = [{**model.as_data(made), **more}]


def default_limit(plan: dict[str, Any], *quantities: int) -> None:
    """Rate limits of the operations that declare none."""
    made = LimitPlan("principal-minute", "token_bucket", 100, 60_000_000, (Whom("principal"),))
    plan["limits"] = [{**model.as_data(made), "quantity": quantity} for quantity in quantities]


def limits_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """One rate limit, taken from an operation."""
    limit(plan)
    found: list[dict[str, Any]] = place(plan)["limits"]
    place(plan)["limits"] = None
    return found


def link(plan: dict[str, Any], policy: Any) -> None:
    items(plan)["link"] = policy


def check(plan: dict[str, Any], condition: Any, message: str = "") -> None:
    checks = {"name": "kept", "condition": condition, "message": message, "fields": []}
    resource(plan, "Product").update(checks=[checks])


def span(plan: dict[str, Any], where: Any) -> None:
    overlap = {"keys": ["sku"], "start": "created_at", "end": "updated_at", "where": where}
    resource(plan, "Product").update(no_overlap=[overlap])


Change = Callable[[dict[str, Any]], Any]

COUNT = {"function": "count", "relation": "items", "where": None, "field": None, "by": None, "all": False}


def counted(plan: dict[str, Any], **more: Any) -> None:
    """A field of orders that is computed when they are read."""
    field = {**user(plan, "id"), "kind": "integer", "name": "extra", "public_name": "extra", "references": None}
    resource(plan, "Order")["computed"] = [{**field, "generated": None, "derived": {**COUNT, **more}}]


def in_python(plan: dict[str, Any]) -> None:
    """The same, computed in Python."""
    counted(plan)
    resource(plan, "Order")["computed"][0]["derived"] = {"fields": ["status"], "all": True}


PAIRS: list[tuple[str, str, Change, Change]] = [
    ("additive", "field-added", lambda p: None, counted),
    ("breaking", "field-removed", counted, lambda p: None),
    ("neutral", "computation-changed", counted, lambda p: counted(p, all=True)),
    ("neutral", "computation-changed", lambda p: counted(p, function="latest", field="quantity", by="id"), in_python),
    ("breaking", "limit-added", lambda p: None, limit),
    ("additive", "limit-removed", limit, lambda p: place(p).update(limits=[])),
    ("breaking", "limit-narrowed", limit, lambda p: limit(p, quantity=99)),
    ("breaking", "limit-narrowed", limit, lambda p: limit(p, cost=2)),
    ("additive", "limit-widened", limit, lambda p: limit(p, quantity=101)),
    ("additive", "limit-widened", limit, lambda p: limit(p, quantity=200)),
    ("breaking", "limit-changed", limit, lambda p: limit(p, by=[{"what": "tenant", "name": ""}])),
    ("breaking", "limit-changed", limit, lambda p: limit(p, period_us=1_000_000)),
    ("additive", "limit-removed", limit, lambda p: limit(p, shadow=True)),
    ("breaking", "limit-narrowed", lambda p: default_limit(p, 100), lambda p: default_limit(p, 50)),
    (
        "additive",
        "limit-removed",
        lambda p: default_limit(p, 100),
        lambda p: place(p).update(limits=[]) or default_limit(p, 100),
    ),
    ("breaking", "limit-added", lambda p: None, lambda p: p.update(throttles=limits_of(p))),
    ("breaking", "decimals-changed", lambda p: None, lambda p: product(p, "name").update(decimal_places=2)),
    ("breaking", "reference-changed", lambda p: None, lambda p: product(p, "name").update(references="User")),
    ("breaking", "generated-changed", lambda p: None, lambda p: product(p, "name").update(generated="created")),
    ("breaking", "ownership-changed", lambda p: None, lambda p: resource(p, "Product").update(owned_by="Order")),
    ("breaking", "required-added", lambda p: product(p, "name").update(required=False), lambda p: None),
    ("breaking", "filter-removed", lambda p: browse(p).update(related=[TOWN]), lambda p: None),
    ("additive", "filter-added", lambda p: browse(p).update(related=[]), lambda p: browse(p).update(related=[TOWN])),
    ("breaking", "order-changed", lambda p: ranked(p, "b", "a", "c"), lambda p: ranked(p, "a", "d", "b")),
    ("breaking", "order-removed", lambda p: ranked(p, "b", "a"), lambda p: None),
    ("breaking", "choice-removed", lambda p: status(p).update(write="always"), lambda p: status(p)["choices"].pop()),
    ("breaking", "link-changed", lambda p: None, lambda p: link(p, OWN)),
    ("breaking", "link-changed", lambda p: link(p, OWN), lambda p: None),
    ("additive", "link-widened", lambda p: None, lambda p: link(p, ANYONE)),
    ("additive", "policy-widened", lambda p: link(p, SCOPED), lambda p: link(p, ANYONE)),
    ("breaking", "policy-narrowed", lambda p: link(p, ANYONE), lambda p: link(p, SCOPED)),
    ("breaking", "nested-list-removed", lambda p: items(p).update(nested_route=True), lambda p: None),
    ("additive", "nested-list-added", lambda p: None, lambda p: items(p).update(nested_route=True)),
    ("additive", "relation-writable", lambda p: items(p).update(input_name=None), lambda p: None),
    ("additive", "items-widened", lambda p: items(p).update(max_items=1), lambda p: None),
    ("additive", "items-widened", lambda p: items(p).update(min_items=9), lambda p: items(p).update(min_items=8)),
    ("additive", "tenant-removed", lambda p: resource(p, "Product").update(tenant="name"), lambda p: None),
    ("additive", "export-added", lambda p: browse(p).update(export=False), lambda p: browse(p).update(export=True)),
    ("additive", "http-only-ended", lambda p: place(p).update(uses_request=True), lambda p: None),
    ("additive", "match-optional", lambda p: place(p).update(require_match=True), lambda p: None),
    ("additive", "key-optional", lambda p: place(p).update(idempotency="required"), lambda p: None),
    ("additive", "timeout-widened", lambda p: place(p).update(timeout_seconds=1), lambda p: None),
    (
        "additive",
        "timeout-widened",
        lambda p: place(p).update(timeout_seconds=1),
        lambda p: place(p).update(timeout_seconds=2),
    ),
    ("additive", "null-in-input", lambda p: receipt(p, "input"), lambda p: receipt(p, "input", nullable=True)),
    ("breaking", "null-in-output", lambda p: receipt(p, "output"), lambda p: receipt(p, "output", nullable=True)),
    ("breaking", "null-refused", lambda p: receipt(p, "input", nullable=True), lambda p: receipt(p, "input")),
    ("additive", "null-never", lambda p: receipt(p, "output", nullable=True), lambda p: receipt(p, "output")),
    ("breaking", "rule-narrowed", lambda p: receipt(p, "input"), lambda p: receipt(p, "input", max_length=1)),
    (
        "additive",
        "rule-narrowed-in-output",
        lambda p: receipt(p, "output"),
        lambda p: receipt(p, "output", max_length=1),
    ),
    (
        "additive",
        "choice-added",
        lambda p: receipt(p, "input", choices=["a"]),
        lambda p: receipt(p, "input", choices=["a", "b"]),
    ),
    (
        "additive",
        "pattern-removed",
        lambda p: product(p, "name").update(pattern="^x$"),
        lambda p: product(p, "name").update(pattern=None),
    ),
    ("additive", "unique-removed", lambda p: product(p, "name").update(unique=True), lambda p: None),
    ("additive", "read-scope-removed", lambda p: product(p, "name").update(read_scope="x:y"), lambda p: None),
    ("breaking", "write-scope-changed", lambda p: None, lambda p: product(p, "name").update(write_scope="x:y")),
    ("additive", "write-scope-removed", lambda p: product(p, "name").update(write_scope="x:y"), lambda p: None),
    ("additive", "resource-added", lambda p: p["resources"].remove(resource(p, "Product")), lambda p: None),
    ("additive", "operation-added", lambda p: resource(p, "Product")["operations"].remove(browse(p)), lambda p: None),
    ("additive", "api-keys-added", lambda p: p.update(api_keys=False), lambda p: p.update(api_keys=True)),
    ("neutral", "audit-changed", lambda p: None, lambda p: resource(p, "Product").update(audit=True)),
    ("breaking", "check-added", lambda p: None, lambda p: check(p, PRICED)),
    ("additive", "check-removed", lambda p: check(p, PRICED), lambda p: None),
    ("breaking", "check-changed", lambda p: check(p, PRICED), lambda p: check(p, both(PRICED, NAMED))),
    ("additive", "check-widened", lambda p: check(p, both(PRICED, NAMED)), lambda p: check(p, PRICED)),
    ("neutral", "text-changed", lambda p: check(p, PRICED), lambda p: check(p, PRICED, "It has a price")),
    ("breaking", "overlap-added", lambda p: None, lambda p: span(p, None)),
    ("additive", "overlap-removed", lambda p: span(p, None), lambda p: None),
    ("breaking", "overlap-changed", lambda p: span(p, PRICED), lambda p: span(p, None)),
    ("breaking", "overlap-changed", lambda p: span(p, PRICED), lambda p: span(p, NAMED)),
    ("additive", "overlap-widened", lambda p: span(p, None), lambda p: span(p, PRICED)),
    ("additive", "overlap-widened", lambda p: span(p, PRICED), lambda p: span(p, both(PRICED, NAMED))),
    ("neutral", "text-changed", lambda p: None, lambda p: items(p).update(description="Otherwise")),
    ("breaking", "items-narrowed", listed, lambda p: listed(p, most=4)),
    ("breaking", "items-narrowed", listed, lambda p: listed(p, least=1)),
    ("additive", "items-widened", lambda p: listed(p, least=1), listed),
    ("breaking", "rule-narrowed", listed, lambda p: listed(p, max_length=1)),
    ("breaking", "variant-removed", lambda p: variants(p, "input", "a", "b"), lambda p: variants(p, "input", "a")),
    ("breaking", "variant-in-output", lambda p: variants(p, "output", "a"), lambda p: variants(p, "output", "a", "b")),
    ("additive", "variant-added", lambda p: variants(p, "input", "a"), lambda p: variants(p, "input", "a", "b")),
    (
        "breaking",
        "discriminator-changed",
        lambda p: variants(p, "input", "a", "b"),
        lambda p: variants(p, "input", "a", "b", discriminator="form"),
    ),
    ("breaking", "list-narrowed", lambda p: place(p).update(max_items=2), lambda p: place(p).update(max_items=1)),
    ("additive", "list-widened", lambda p: place(p).update(max_items=1), lambda p: place(p).update(max_items=2)),
    ("breaking", "header-removed", lambda p: place(p).update(headers=[["X-A", "a"]]), lambda p: None),
    ("additive", "error-removed", lambda p: place(p).update(errors=[FULL]), lambda p: None),
    (
        "breaking",
        "error-changed",
        lambda p: place(p).update(errors=[FULL]),
        lambda p: place(p).update(errors=[{**FULL, "status": 422}]),
    ),
    ("breaking", "filter-removed", related, lambda p: None),
    ("additive", "filter-added", lambda p: None, related),
    ("neutral", "filter-rows-changed", related, lambda p: related(p, all=True)),
    (
        "breaking",
        "or-groups-narrowed",
        lambda p: browse(p).update(or_groups=2),
        lambda p: browse(p).update(or_groups=1),
    ),
    ("breaking", "search-removed", lambda p: search(p, "name"), search),
    ("additive", "search-added", lambda p: None, lambda p: search(p, "name")),
    ("breaking", "search-narrowed", lambda p: search(p, "name", "status"), lambda p: search(p, "name")),
    ("neutral", "search-changed", lambda p: search(p, "name"), lambda p: search(p, "name", "status")),
    ("neutral", "search-opened", lambda p: search(p, "name"), lambda p: search(p, "name", all=True)),
    ("additive", "or-groups-widened", lambda p: None, lambda p: browse(p).update(or_groups=1)),
    (
        "additive",
        "rule-widened",
        lambda p: receipt(p, "input", kind="date", minimum="2026-01-02"),
        lambda p: receipt(p, "input", kind="date", minimum="2026-01-01"),
    ),
    (
        "breaking",
        "rule-narrowed",
        lambda p: receipt(p, "input", kind="duration", maximum="PT2H"),
        lambda p: receipt(p, "input", kind="duration", maximum="PT90M"),
    ),
]
"""What becomes of which: the class is that of the change from the one to the other."""


@pytest.mark.parametrize(
    ("kind", "code", "before", "after"), PAIRS, ids=[f"{n}-{pair[1]}" for n, pair in enumerate(PAIRS)]
)
def test_each_pair_has_its_class(kind: str, code: str, before: Change, after: Change) -> None:
    old, new = deepcopy(SHOP), deepcopy(SHOP)
    before(old)
    after(new)
    found = {(difference.kind, difference.code) for difference in compare(old, new)}
    assert (kind, code) in found
    if kind != "breaking":
        assert not any(one == "breaking" for one, _ in found), found
    assert compare(new, new) == []


def test_each_class_is_seen_once_at_least() -> None:
    """Codes of changes that no case is about would be told without anybody having looked at them."""
    source = Path(diff.__file__).read_text("utf-8")
    codes = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source)) - {"page-size"}
    seen = {case[1] for case in (*CASES, *PAIRS)} | {
        "field-renamed",
        "policy-changed",
        "policy-rewritten",
        "policy-text",
    }
    assert codes <= seen, codes - seen


def test_a_list_of_words_that_becomes_any_text_is_told_so() -> None:
    new = deepcopy(SHOP)
    status(new).update(kind="string")
    assert "values that were not listed are possible" in [difference.what for difference in compare(SHOP, new)]


NODES = (
    Public(),
    Authenticated(),
    Scope("x:y"),
    Owner(("team_id", "lead_id")),
    Compare(("a",), "eq", "x"),
    Compare(("a",), "in", ("x", "y")),
    Compare(("a",), "isNull"),
    Compare(("a",), "lte", ValueAt(("team_id", "b"))),
    Compare(("at",), "gt", Now()),
    Not(AnyOf((Public(), AllOf((Authenticated(), Scope("x")))))),
)


@pytest.mark.parametrize("node", NODES, ids=describe)
def test_a_policy_is_read_as_it_was_written(node: PolicyNode) -> None:
    assert policy_from_data(orjson.loads(orjson.dumps(model.as_data(node)))) == node


def test_nothing_has_changed() -> None:
    assert compare(SHOP, deepcopy(SHOP)) == []


def test_a_breaking_change_with_a_version_is_none() -> None:
    new = deepcopy(SHOP)
    new.update(api_version="v2", base_path="/api/v2", older=[deepcopy(SHOP)])
    product(new, "name").update(public_name="title")
    assert {difference.kind for difference in compare(SHOP, new)} == {"additive"}


BEFORE = """
from __future__ import annotations
from typing import Literal
from sternpost import *

class Team(Resource, prefix="tea", plural="teams"):
    boss: str
    read = Read(allow=this.boss.eq("x"))

class Person(Resource, prefix="per", plural="people", tenant="firm", owner="login", unique=[("name", "login")]):
    firm: str
    name: str = field(filter=True)
    login: str = field(default="nobody", write="never")
    state: Literal["on", "off"] = field(default="on", write="never")
    team: One[Team] = one(link=this.boss.eq("x"))
    jobs: Owned[Job]
    browse = Browse(sort=["name", "login"], default_sort=["-name"], allow=this.is_owner | this.team.boss.eq("y"))
    create = Create(allow=scope("people:write"))
    update = Update(allow=this.state.eq("on") & ~this.name.eq("root"))
    stop = Transition("state", source="on", target="off", allow=this.is_owner)

class Job(Resource, prefix="job"):
    person: One[Person]
    minutes: int

contract = Contract("before", resources=[Team, Person, Job])
"""
"""Everything of a plan that names a field, a relation or a class."""

AFTER = {
    "boss": "head",
    "firm": "company",
    "name": "full_name",
    "login": "account",
    "state": "phase",
    "team": "crew",
    "jobs": "tasks",
    "minutes": "duration",
    "Person": "Human",
    "Job": "Task",
    "Team": "Crew",
}
RENAMED = {
    "Crew": ["head"],
    "Human": ["company", "full_name", "account", "phase", "crew", "tasks"],
    "Task": ["duration"],
}


def _plan(text: str) -> dict[str, Any]:
    module: Any = type(sys)("contract_of_a_diff")
    sys.modules[module.__name__] = module
    exec(compile(text, "contract_of_a_diff.py", "exec"), module.__dict__)
    return orjson.loads(orjson.dumps(plan_data(compile_contract(module.contract))))


def test_what_a_version_renames_is_not_breaking() -> None:
    was = {new: old for old, new in AFTER.items()}
    after = re.sub(r"[A-Za-z]+", lambda word: AFTER.get(word.group(), word.group()), BEFORE)
    changes = [f'Renamed({cls}, "{name}", was="{was[name]}")' for cls, names in RENAMED.items() for name in names]
    changes.append('Renamed(Human, "crew_id", was="teamId")')
    versioned = f'api_version="v2", older=[Version("v1", [{", ".join(changes)}])], resources='
    old, new = _plan(BEFORE), _plan(after.replace("resources=", versioned))
    assert {found.code for found in compare(old, new)} == {"version-added", "text-changed"}  # "Create a human"
    kept = [change for change in changes if '"full_name"' not in change]
    partly = _plan(
        after.replace("resources=", f'api_version="v2", older=[Version("v1", [{", ".join(kept)}])], resources=')
    )
    assert "field-removed v1 people.name" in {found.id for found in compare(old, partly) if found.kind == "breaking"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (KNOWN, ANYONE, "policy-widened"),
        (SCOPED, KNOWN, "policy-widened"),
        (ANYONE, KNOWN, "policy-narrowed"),
        (
            {"policy": "Named", "name": "a", "text": "A", "part": SCOPED},
            {"policy": "Named", "name": "a", "text": "B", "part": SCOPED},
            "policy-text",
        ),
        ({"policy": "Named", "name": "a", "text": "A", "part": SCOPED}, ANYONE, "policy-widened"),
        (SCOPED, {"policy": "Named", "name": "a", "text": "A", "part": SCOPED}, "policy-text"),
        (SCOPED, either(SCOPED, SCOPED), "policy-rewritten"),
        (SCOPED, either(SCOPED, OWN), "policy-widened"),
        (SCOPED, {"policy": "Scope", "name": "other"}, "policy-changed"),
        (OWN, NAMED, "policy-changed"),
        (PRICED, either(PRICED, NAMED), "policy-widened"),
        (either(PRICED, NAMED), PRICED, "policy-narrowed"),
        (either(PRICED, NAMED), either(NAMED, PRICED), "policy-rewritten"),
        (PRICED, both(PRICED, NAMED), "policy-narrowed"),
        (both(PRICED, NAMED), PRICED, "policy-widened"),
        (both(PRICED, NAMED), either(PRICED, NAMED), "policy-widened"),
        (either(PRICED, NAMED), both(PRICED, NAMED), "policy-narrowed"),
    ],
)
def test_policies_are_compared_by_what_they_allow(old: Any, new: Any, code: str) -> None:
    one, other = deepcopy(SHOP), deepcopy(SHOP)
    browse(one)["policy"], browse(other)["policy"] = old, new
    assert [difference.code for difference in compare(one, other)] == [code]
    assert policy_from_data(old) != policy_from_data(new)


@pytest.mark.parametrize("name", sorted(COMPARED))
def test_every_attribute_is_compared_or_said_to_be_irrelevant(name: str) -> None:
    attributes = {field.name for field in dataclasses.fields(getattr(model, name))}
    decided = COMPARED[name] | set(IRRELEVANT[name])
    assert not COMPARED[name] & set(IRRELEVANT[name])
    assert attributes == decided, "decide in derive/diff.py: is it compared, or irrelevant to clients?"


def test_waivers(tmp_path: Path) -> None:
    new = deepcopy(SHOP)
    product(new, "name").update(max_length=1)
    differences = compare(SHOP, new)
    broken = next(difference for difference in differences if difference.kind == "breaking")
    file = tmp_path / "waivers.toml"
    assert read_waivers(file) == []
    file.write_text(f'[[waiver]]\nid = "{broken.id}"\nreason = "nobody sends it"\nby = "ann"\nuntil = 2026-06-30\n')
    waivers = read_waivers(file)
    assert waivers == [Waiver(broken.id, "nobody sends it", "ann", date(2026, 6, 30))]
    last = judge(differences, waivers, datetime(2026, 6, 30, 23, 59, tzinfo=UTC))
    assert (last.refused, last.waived, last.expired) == ((), (broken,), ())
    after = judge(differences, waivers, datetime(2026, 7, 1, tzinfo=UTC))
    assert (after.refused, after.expired) == ((broken,), tuple(waivers))
    assert judge([], waivers, datetime(2026, 1, 1, tzinfo=UTC)).unused == tuple(waivers)
    file.write_text('[[waiver]]\nid = "x"\nreason = "y"\nby = "z"\n')
    with pytest.raises(StartupError, match="until as a date"):
        read_waivers(file)


@pytest.mark.slow
def test_the_command_compares_with_a_commit(tmp_path: Path) -> None:
    service = """from sternpost import Browse, Contract, Resource, Sternpost, field, public

class User(Resource, prefix="usr"):
    name: str = field(max_length=20)
    browse = Browse(allow=public)

app = Sternpost(Contract("users", resources=[User]))
"""

    def run(*command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    file = tmp_path / "service.py"
    file.write_text(service)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"],
    ):
        assert run("git", *command).returncode == 0
    diff = (sys.executable, "-m", "sternpost", "contract", "diff", "HEAD", "--app", "service:app")
    same = run(*diff)
    assert (same.returncode, b"nothing has changed" in same.stdout) == (0, True), same.stderr
    file.write_text(service.replace("name: str", "title: str"))
    changed = run(*diff, "--json")
    assert changed.returncode == 1, changed.stderr
    report = orjson.loads(changed.stdout)
    assert report["ok"] is False
    assert {"field-removed v1 users.name", "field-added v1 users.title"} == {one["id"] for one in report["changes"]}
    assert run(*diff[:5], "nowhere", *diff[6:]).returncode == 2
