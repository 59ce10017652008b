"""What policies may know of who calls, beside the id and the scopes: claims of the token, the tenant, the API key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sternpost.ids import decode
from sternpost.kinds import KINDS, KindName

ClaimValue = str | int | bool | tuple[str | int | bool, ...]

TEXT_MAX = 255
"""Characters that a text of a claim may have."""

LIST_MAX = 100
"""Values that a list of a claim may have."""


class Caller(Protocol):
    """Who calls."""

    @property
    def tenant(self) -> str | None: ...

    @property
    def api_key(self) -> str | None:
        """The id of the API key that was sent; None for a caller with a token."""
        ...

    @property
    def claims(self) -> Mapping[str, ClaimValue]:
        """Those of the token that policies ask for."""
        ...


@dataclass(frozen=True, slots=True)
class OfCaller:
    """A value of the caller, in the form of what it is compared with.

    Attributes:
        name: of the claim.
        form: the kind of value; one of another kind is as none at all.
        prefix: that of the ids, where it is an id.
        choices: those that it can be one of; any, where there are none.
        many: whether it is a list of such values.
    """

    source: Literal["claim", "tenant", "apiKey"]
    name: str
    form: KindName
    prefix: str | None = None
    choices: tuple[str, ...] = ()
    many: bool = False

    def read(self, caller: Caller | None) -> Any:
        """The value as the pipeline has it; None where the caller has none of this form."""
        if caller is None:
            return None
        found: Any = caller.tenant if self.source == "tenant" else caller.api_key
        if self.source == "claim":
            found = caller.claims.get(self.name)
        if not self.many:
            return self._one(found)
        if not isinstance(found, tuple):
            return None
        values = [self._one(each) for each in found]  # pyright: ignore[reportUnknownVariableType]
        return None if None in values else values

    def _one(self, value: Any) -> Any:
        read = KINDS[self.form].from_claim
        found = None if read is None else read(value)
        if found is None or (self.choices and found not in self.choices):
            return None
        return found if self.prefix is None else decode(self.prefix, found)

    def __str__(self) -> str:
        return {"claim": f'claim("{self.name}")', "tenant": "caller.tenant", "apiKey": "caller.api_key"}[self.source]


def kept_claim(value: Any) -> ClaimValue | None:
    """A claim as it is kept of a token; None where policies have no use for it, or where it is too long."""
    if isinstance(value, list):
        found = [_kept(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        return None if None in found or len(found) > LIST_MAX else tuple(each for each in found if each is not None)
    return _kept(value)


def _kept(value: Any) -> str | int | bool | None:
    if isinstance(value, str):
        return value if len(value) <= TEXT_MAX else None
    return value if isinstance(value, int) else None
