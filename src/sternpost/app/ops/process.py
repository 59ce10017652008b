"""What a serving process knows of its limits and its log, and takes from the ops port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, cast

from sternpost.app.application import Sternpost
from sternpost.app.frames import Message
from sternpost.kinds import KINDS
from sternpost.networks import limit_address_of
from sternpost.pipeline.limits import BoundLimit, bound, part_of
from sternpost.pipeline.overrides import LimitOverride
from sternpost.plan.limits import LimitPlan, Whom, describe_limit, limit_id
from sternpost.plan.model import FieldPlan, OperationPlan, RelationPlan
from sternpost.plan.taken import taken
from sternpost.ports.authenticator import NO_SCOPES, Principal
from sternpost.ports.limits import UNITS_MAX

QUANTITY_MAX = 1_000_000_000

FALLBACKS = {
    "principal": ("address",),
    "apiKey": ("principal", "address"),
    "tenant": ("principal", "address"),
    "claim": ("principal", "address"),
}
"""What a part of a limit counts a caller by who has not what it names."""


Fields = Mapping[str, FieldPlan | RelationPlan]
"""What an operation takes, by name."""


class WrongKey(Exception):
    """A key that the limit counts nobody by; the message says why."""


class OpsProcess:
    """Answers messages. Nothing of it needs a started application: a worker is told before it serves."""

    def __init__(self, app: Sternpost) -> None:
        self._app = app
        self._known: dict[str, tuple[BoundLimit, Fields]] | None = None

    def answer(self, message: Message) -> Any:
        """The answer to a message, as JSON data; what is not known, of another release, has an empty one."""
        match message["do"]:
            case "limits":
                return [_told(limit, operation) for limit, operation, _ in self._limits()]
            case "check":
                return self._check(message["override"])
            case "override":
                return {"known": self._override(message["override"])}
            case "forget":
                return {"known": self._forget(message["override"])}
            case "metrics":
                metrics = self._app.metrics
                return {} if metrics is None else metrics.snapshot().as_json()
            case "replay":
                self._replay(message["overrides"])
                return self._log_level(message.get("log"))
            case "log level":
                return self._log_level(message["log"])
            case "log":
                return self._level()
            case _:
                return {}

    def _limits(self) -> Iterator[tuple[LimitPlan, OperationPlan | None, Fields]]:
        for limit, owner in self._app.plan.limits_with_owners():
            yield (limit, None, {}) if owner is None else (limit, owner[1], taken(*owner))

    def _limit(self, id: str) -> tuple[BoundLimit, Fields] | None:
        if self._known is None:
            self._known = {}
            for limit, operation, fields in self._limits():
                name = limit_id(operation.id if operation else None, limit)
                self._known[name] = bound(limit, name, limit.name, fields, None), fields
        return self._known.get(id)

    def _check(self, override: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is wrong with an override; or its id, and its key by the names of the parts. The id is made of what the
        caller is counted by, so that all ways to name one caller name one override; and not of the algorithm of the
        limit, which another release may have changed."""
        known = self._limit(override["limit"])
        if known is None:
            return {"member": "limit", "problem": f"There is no limit {override['limit']}; GET /limits lists them"}
        limit, fields = known
        try:
            key = _key(limit, override["key"])
            whom = limit.whom(*_caller(fields, key))
        except WrongKey as error:
            return {"member": "key", "problem": str(error)}
        problem = None if "quantity" not in override else _too_much(limit, override)
        return {"id": _id(limit, whom), "key": key} if problem is None else problem

    def _override(self, override: Mapping[str, Any]) -> bool:
        self._app.limit_overrides.drop_expired(self._app.clock.now())
        return self._set(override)

    def _set(self, override: Mapping[str, Any]) -> bool:
        key = self._digest_of(override)
        if key is None:
            return False
        expires = datetime.fromtimestamp(override["expires"], UTC)
        self._app.limit_overrides.set(key, LimitOverride(override["quantity"], override["factor"], expires))
        return True

    def _replay(self, overrides: Sequence[Mapping[str, Any]]) -> None:
        self._app.limit_overrides.clear()
        for override in overrides:
            self._set(override)

    def _log_level(self, held: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Takes the level that holds for a time; None for that of the settings."""
        if held is None:
            self._app.log_override.clear()
        else:
            self._app.log_override.set(held["level"], datetime.fromtimestamp(held["expires"], UTC))
        return self._level()

    def _level(self) -> Mapping[str, Any]:
        return {"level": self._app.log_override.level(self._app.settings.log_level, self._app.clock.now())}

    def _forget(self, override: Mapping[str, Any]) -> bool:
        key = self._digest_of(override)
        if key is not None:
            self._app.limit_overrides.remove(key)
        return key is not None

    def _digest_of(self, override: Mapping[str, Any]) -> bytes | None:
        """None for a limit or a key that another release of the service has, and this one does not."""
        known = self._limit(override["limit"])
        if known is None:
            return None
        limit, fields = known
        try:
            return limit.key(*_caller(fields, _key(limit, override["key"])))
        except WrongKey:
            return None


def _told(limit: LimitPlan, operation: OperationPlan | None) -> Mapping[str, Any]:
    """A limit for those who run the service."""
    return {
        "id": limit_id(operation.id if operation else None, limit),
        "operation": operation.id if operation else None,
        "rule": describe_limit(limit),
        "algorithm": limit.algorithm,
        "quantity": limit.quantity,
        "periodSeconds": limit.period_us / 1_000_000,
        "by": [_name(whom) for whom in limit.by],
        "shadow": limit.shadow,
    }


def _name(whom: Whom) -> str:
    """What a part of a key is called: `principal`, `claim:plan`, `given:email`."""
    return f"{whom.what}:{whom.name}" if whom.name else whom.what


# -- keys


def _id(limit: BoundLimit, whom: bytes) -> str:
    """The same for the same limit and caller."""
    return blake2b(part_of(b"l", limit.id) + whom, digest_size=12, person=b"sternpost limit").hexdigest()


def _key(limit: BoundLimit, given: Any) -> dict[str, Any]:
    """A key as an object with a member for each part of the limit, an address as it is counted. Raises `WrongKey`."""
    key = _members(limit, given)
    address = _text(key, "address")
    if address is not None:
        try:
            key["address"] = limit_address_of(address)
        except ValueError as error:
            raise WrongKey(str(error)) from None
    return key


def _members(limit: BoundLimit, given: Any) -> dict[str, Any]:
    by = limit.plan.by
    names = [_name(whom) for whom in by]
    if by == (Whom("service"),):
        if given not in (None, "service", {}):
            raise WrongKey("This limit counts all callers together: leave the key out")
        return {}
    if isinstance(given, list):
        values = cast("list[Any]", given)
        if len(values) != len(by):
            raise WrongKey(f"The limit counts by {', '.join(names)}: give as many values, in this order")
        return dict(zip(names, values, strict=True))
    if not isinstance(given, dict):
        if len(by) != 1:
            raise WrongKey(f"The limit counts by {', '.join(names)}: give a list of values in this order, or an object")
        return {names[0]: given}
    members = cast("dict[str, Any]", given)
    allowed = {name for whom, name in zip(by, names, strict=True) for name in (name, *FALLBACKS.get(whom.what, ()))}
    unknown = sorted(members.keys() - allowed)
    if unknown:
        raise WrongKey(f"The limit does not count by {', '.join(unknown)}, but by {', '.join(names)}")
    missing = [
        name
        for whom, name in zip(by, names, strict=True)
        if name not in members and not any(fallback in members for fallback in FALLBACKS.get(whom.what, ()))
    ]
    if missing:
        raise WrongKey(f"The key says nothing of {', '.join(missing)}")
    return {name: members[name] for name in sorted(members)}


def _caller(fields: Fields, key: Mapping[str, Any]) -> tuple[str | None, Principal | None, Mapping[str, Any]]:
    """The address, the caller and the input that a key names. Raises `WrongKey`."""
    address, subject, tenant, api_key = (_text(key, name) for name in ("address", "principal", "tenant", "apiKey"))
    claims = {name.partition(":")[2]: value for name, value in key.items() if name.startswith("claim:")}
    for value in claims.values():
        if not isinstance(value, str | int):
            raise WrongKey("A claim is a text, a whole number, true or false")
    values = {
        name.partition(":")[2]: _value(fields[name.partition(":")[2]], value)
        for name, value in key.items()
        if name.startswith("given:")
    }
    principal = None
    if any(each is not None for each in (subject, tenant, api_key)) or claims:
        principal = Principal(subject or "", NO_SCOPES, tenant, claims, api_key)
    return address, principal, {fields[name].name: value for name, value in values.items()}


def _text(key: Mapping[str, Any], name: str) -> str | None:
    value = key.get(name)
    if name in key and (not isinstance(value, str) or not value):
        raise WrongKey(f"{name} is a text that is not empty")
    return value


def _value(field: FieldPlan | RelationPlan, value: Any) -> Any:
    """A value of the input as it is counted by."""
    if value is None:
        return None
    read = None if isinstance(field, RelationPlan) else KINDS[field.kind].from_claim
    found = None if read is None else read(value)
    if found is None:
        raise WrongKey(f"{value!r} is no value of {field.name}")
    return found


def _too_much(limit: BoundLimit, override: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is wrong with a quantity that cannot be counted exactly."""
    member = "quantity" if override["quantity"] is not None else "factor"
    wanted = LimitOverride(override["quantity"], override["factor"], datetime.now(UTC))
    most = max(wanted.of(quantity) for quantity in limit.plan.quantities)
    bound_max = QUANTITY_MAX
    if not limit.plan.algorithm.endswith("window"):
        bound_max = min(bound_max, UNITS_MAX // limit.plan.period_us)
    if most <= bound_max:
        return None
    return {"member": member, "problem": f"This limit can count up to {bound_max} in a period"}
