"""A plan in the names that clients see: two plans are compared by these, whatever their classes and columns are called.

An older version of an API is made from today's classes, so a field that was renamed since has its new name there, and
only its name in JSON is that of the version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

Data = Mapping[str, Any]

DECLARED = "declared"
"""Where a member keeps the name that it has in its class, by which a rename is recognised."""


def both_as_seen(old: Data, new: Data) -> tuple[Data, Data]:
    """Two plans of one version whose members and resources have the same names where clients see the same."""
    return _Seen(old, {}).plan(), _Seen(new, _classes(old, new)).plan()


def _classes(old: Data, new: Data) -> dict[str, str]:
    """What the classes of the newer plan are called in the older one: ids begin alike, which is what clients see."""
    before = {resource["prefix"]: resource["name"] for resource in old["resources"]}
    found = {one["name"]: before[one["prefix"]] for one in new["resources"] if one["prefix"] in before}
    taken = set(found.values())
    return {name: found.get(name, name if name not in taken else f"another {name}") for name in _names(new)}


def _names(plan: Data) -> list[str]:
    return [resource["name"] for resource in plan["resources"]]


class _Seen:
    """One plan; `classes` has the names that its resources get."""

    def __init__(self, given: Data, classes: Mapping[str, str]) -> None:
        self.given = given
        self.classes = classes
        self.fields = {
            resource["name"]: {field["name"]: field for field in (*resource["fields"], *resource.get("computed", ()))}
            for resource in given["resources"]
        }

    def plan(self) -> Data:
        return {**self.given, "resources": [self._resource(resource) for resource in self.given["resources"]]}

    def _resource(self, resource: Data) -> Data:
        name = resource["name"]

        def seen(field: str) -> str:
            return self._public(name, field)

        return {
            **resource,
            "name": self._class(name),
            "owned_by": self._class(resource.get("owned_by")),
            "tenant": resource["tenant"] and seen(resource["tenant"]) if "tenant" in resource else None,
            "checks": [self._check(name, check, seen) for check in resource.get("checks", ())],
            "no_overlap": [self._overlap(name, overlap, seen) for overlap in resource.get("no_overlap", ())],
            "unique_together": [[seen(field) for field in group] for group in resource["unique_together"]],
            "fields": [self._member(field, "references") for field in resource["fields"]],
            "computed": [self._computed(resource, field, seen) for field in resource.get("computed", ())],
            "relations": [self._relation(relation) for relation in resource["relations"]],
            "operations": [self._operation(name, operation, seen) for operation in resource["operations"]],
        }

    def _computed(self, resource: Data, field: Data, seen: Callable[[str], str]) -> Data:
        """A field that is computed when its row is read: of fields of the row, or of rows of a list."""
        derived = field["derived"]
        if "relation" not in derived:
            derived = {**derived, "fields": [seen(name) for name in derived["fields"]]}
        else:
            relation = next((each for each in resource["relations"] if each["name"] == derived["relation"]), None)
            if relation is not None:  # which an older version may not know
                target = relation["target"]
                of = {name: derived[name] and self._public(target, derived[name]) for name in ("field", "by")}
                where = derived["where"] and self._policy(target, derived["where"])
                derived = {**derived, **of, "where": where, "relation": relation["public_name"]}
        return {**self._member(field, "references"), "derived": derived}

    def _check(self, resource: str, check: Data, seen: Callable[[str], str]) -> Data:
        condition = self._policy(resource, check["condition"])
        return {**check, "condition": condition, "fields": [seen(field) for field in check["fields"]]}

    def _overlap(self, resource: str, overlap: Data, seen: Callable[[str], str]) -> Data:
        where = overlap["where"] and self._policy(resource, overlap["where"])
        keys = [seen(field) for field in overlap["keys"]]
        return {"keys": keys, "start": seen(overlap["start"]), "end": seen(overlap["end"]), "where": where}

    def _relation(self, relation: Data) -> Data:
        link = relation.get("link")
        return {**self._member(relation, "target"), "link": link and self._policy(relation["target"], link)}

    def _operation(self, resource: str, operation: Data, seen: Callable[[str], str]) -> Data:
        return {
            **operation,
            "policy": self._policy(resource, operation["policy"]),
            "sort": [seen(field) for field in operation["sort"]],
            "default_sort": [_sorted_by(sort, seen) for sort in operation["default_sort"]],
            "search": [{**each, "name": seen(each["name"])} for each in operation.get("search", ())],
            "state_field": operation["state_field"] and seen(operation["state_field"]),
            "input": self._payload(operation["input"]),
            "output": self._payload(operation["output"]),
            "limits": self._limits(operation, seen),
        }

    def _limits(self, operation: Data, seen: Callable[[str], str]) -> list[Data] | None:
        """Rate limits with the values of the input that they look at; those of a payload have one name."""
        limits = operation.get("limits")
        if limits is None or operation["input"] is not None:
            return limits
        return [
            {
                **limit,
                "by": [
                    {**whom, "name": seen(whom["name"])} if whom["what"] == "given" else whom for whom in limit["by"]
                ],
                "cost_of": limit["cost_of"] and seen(limit["cost_of"]),
            }
            for limit in limits
        ]

    def _payload(self, payload: Data | None) -> Data | None:
        return payload and {**payload, "fields": [self._member(field, "references") for field in payload["fields"]]}

    def _member(self, member: Data, refers: str) -> Data:
        """A field or a relation; `refers` is the attribute that names a resource."""
        seen = {"name": member["public_name"], DECLARED: member["name"], refers: self._class(member.get(refers))}
        return {**member, **seen}

    def _policy(self, resource: str, policy: Data, outside: str | None = None) -> Data:
        """A policy on rows of a resource; `outside` is that of the row whose list they are in."""
        found = dict(policy)
        if "path" in policy:
            found["path"] = self._path(resource, policy["path"])
        value = policy.get("value")
        if isinstance(value, Mapping) and "path" in value:
            other = cast("Data", value)
            at = outside if other["policy"] == "Outside" else resource
            found["value"] = {**other, "path": self._path(at, other["path"])}
        if "where" in policy:
            found["where"] = self._policy(policy["target"], policy["where"], resource)
            found["target"] = self._class(policy["target"])
        if "parts" in policy:
            found["parts"] = [self._policy(resource, part, outside) for part in policy["parts"]]
        if "part" in policy:
            found["part"] = self._policy(resource, policy["part"], outside)
        return found

    def _path(self, resource: str | None, path: Iterable[str]) -> list[str]:
        """Fields to follow from a row: each but the last refers to a row of another resource."""
        seen: list[str] = []
        for name in path:
            field = self.fields.get(resource or "", {}).get(name)
            seen.append(name if field is None else field["public_name"])
            resource = None if field is None else field.get("references")
        return seen

    def _public(self, resource: str, field: str) -> str:
        found = self.fields[resource].get(field)
        return field if found is None else found["public_name"]

    def _class(self, name: str | None) -> str | None:
        return None if name is None else self.classes.get(name, name)


def _sorted_by(sort: str, seen: Callable[[str], str]) -> str:
    descending = "-" if sort.startswith("-") else ""
    return descending + seen(sort.removeprefix("-"))
