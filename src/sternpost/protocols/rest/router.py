"""Finds the operation of an address with dictionary look-ups, whatever the number of resources."""

from __future__ import annotations

from dataclasses import dataclass

from sternpost.pipeline.runtime import Runtime
from sternpost.plan.model import OperationPlan
from sternpost.protocols.rest.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An operation at an address.

    Attributes:
        route: the address, with `{id}` in place of an id.
        body_types: media types of its body; empty where it takes none.
        parent: for the list under a row, the resource and relation.
        exchange: whether something of the author's may look at the request.
        parameters: what reads the input from the query, where it is sent there.
        is_json: whether it answers with JSON.
    """

    operation: OperationPlan
    route: str
    body_types: frozenset[bytes] = frozenset()
    parent: tuple[str, str] | None = None
    exchange: bool = False
    parameters: Parameters | None = None
    is_json: bool = True


Methods = dict[str, Endpoint]
"""What each method does at an address."""

_JSON = frozenset({b"application/json"})
_PATCH = frozenset({b"application/json", b"application/merge-patch+json"})


class Router:
    """Addresses below the base path (`/api/v1`), in three tables by their number of segments."""

    def __init__(self, runtime: Runtime) -> None:
        self.base = runtime.plan.base_path + "/"
        self._collections: dict[str, Methods] = {}
        self._collection_actions: dict[str, dict[str, Methods]] = {}
        self._items: dict[str, Methods] = {}
        self._below_items: dict[tuple[str, str], Methods] = {}
        for resource in runtime.plan.resources:
            for operation in resource.operations:
                endpoint = Endpoint(
                    operation,
                    operation.path,
                    _body_types(operation),
                    exchange=runtime.operations[operation.id].looks_at_http,
                    parameters=Parameters(operation) if operation.has_parameters else None,
                    is_json=operation.media is None and not operation.redirects,
                )
                self._add(operation, endpoint)
            for relation in resource.relations:
                nested = runtime.nested(relation)
                if nested is not None:
                    endpoint = Endpoint(
                        nested.plan,
                        f"{self.base}{resource.path}/{{id}}/{relation.public_name}",
                        parent=(resource.name, relation.name),
                        exchange=nested.looks_at_http,
                    )
                    self._below_items.setdefault((resource.path, relation.public_name), {}).setdefault("GET", endpoint)
        if runtime.plan.batch is not None:
            hooked = any(found.hooks is not None for found in runtime.operations.values())
            batch = runtime.plan.batch
            self._add(batch, Endpoint(batch, batch.path, _JSON, exchange=hooked))

    def match(self, path: str) -> tuple[Methods, str | None] | None:
        """What is at an address, and the id in it; None for nothing."""
        if not path.startswith(self.base):
            return None
        name, slash, last = path[len(self.base) :].partition("/")
        if not slash:
            methods = self._collections.get(name)
            return (methods, None) if methods else None
        if "/" not in last:
            actions = self._collection_actions.get(name)
            if actions is not None and last in actions:
                return actions[last], None
            methods = self._items.get(name)
            return (methods, last) if methods else None
        key, _, relation = last.partition("/")
        methods = self._below_items.get((name, relation))
        return (methods, key) if methods else None

    def route(self, path: str) -> str | None:
        """The address that a path stands for, with `{id}` in place of an id; None where there is nothing."""
        found = self.match(path)
        if found is None:
            return None
        parts = path[len(self.base) :].split("/")
        if found[1] is not None:
            parts[1] = "{id}"
        return self.base + "/".join(parts)

    def _add(self, operation: OperationPlan, endpoint: Endpoint) -> None:
        parts = operation.path[len(self.base) :].split("/")
        if len(parts) == 1:
            self._collections.setdefault(parts[0], {})[operation.method] = endpoint
        elif len(parts) == 3:
            self._below_items.setdefault((parts[0], parts[2]), {})[operation.method] = endpoint
        elif operation.on_item:
            self._items.setdefault(parts[0], {})[operation.method] = endpoint
        else:
            actions = self._collection_actions.setdefault(parts[0], {})
            actions.setdefault(parts[1], {})[operation.method] = endpoint


def _body_types(operation: OperationPlan) -> frozenset[bytes]:
    if operation.kind == "update":
        return _PATCH
    if operation.has_parameters:
        return frozenset()
    return _JSON if operation.kind in ("create", "replace") or operation.input is not None else frozenset()


def allowed_methods(methods: Methods) -> tuple[str, ...]:
    """For the Allow header."""
    return tuple(sorted({*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())}))
