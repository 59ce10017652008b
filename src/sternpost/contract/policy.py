"""Policy expressions: `public`, `authenticated`, `scope("…")`, `this.is_owner`, joined by `&`, `|` and `~`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

from sternpost.contract.source import Source

BOOLEAN_MISUSE = "__sternpost_boolean_misuse__"
"""Class-body name under which uses of `and`, `or` and `not` are kept until the compile step reports them."""

CompareOperator = Literal["eq", "ne", "gt", "gte", "lt", "lte"]


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """An expression of who may do something, as data: the compiler turns it into SQL and into a check of a row."""

    kind: Literal["public", "authenticated", "scope", "owner", "compare", "all", "any", "not", "invalid"]
    parts: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<policy {self.kind}>"

    def __and__(self, other: Policy) -> Policy:
        return Policy("all", (self, _as_policy(other)))

    def __or__(self, other: Policy) -> Policy:
        return Policy("any", (self, _as_policy(other)))

    __rand__ = __and__
    __ror__ = __or__

    def __invert__(self) -> Policy:
        return Policy("not", (self,))

    def __bool__(self) -> bool:
        """`and`, `or` and `not` cannot be overloaded in Python and would silently drop one side, so each use is an
        error.

        In a class body the error is noted there, and reported together with all others; elsewhere it is raised.
        """
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if "__qualname__" not in frame.f_locals:
            raise TypeError("A policy has no truth value. Use & instead of and, | instead of or, ~ instead of not.")
        frame.f_locals.setdefault(BOOLEAN_MISUSE, []).append(Source(frame.f_code.co_filename, frame.f_lineno))
        return True


def _as_policy(value: object) -> Policy:
    return value if isinstance(value, Policy) else Policy("invalid", (value,))


@dataclass(frozen=True, slots=True)
class PolicyPath:
    """A value of the row (`this.status`) or of a row it refers to (`this.order.user`)."""

    _names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return ".".join(("this", *self._names))

    def __getattr__(self, name: str) -> PolicyPath:
        if name.startswith("__"):
            raise AttributeError(name)
        return PolicyPath((*self._names, name))

    @property
    def is_owner(self) -> Policy:
        """The caller owns the row at this path: their id is in its resource's `owner` field."""
        return Policy("owner", (self._names,))

    def eq(self, value: object) -> Policy:
        """The value equals a constant."""
        return self._compare("eq", value)

    def ne(self, value: object) -> Policy:
        """The value differs from a constant (and is not null)."""
        return self._compare("ne", value)

    def gt(self, value: object) -> Policy:
        """The value is greater than a constant."""
        return self._compare("gt", value)

    def gte(self, value: object) -> Policy:
        """The value is at least a constant."""
        return self._compare("gte", value)

    def lt(self, value: object) -> Policy:
        """The value is less than a constant."""
        return self._compare("lt", value)

    def lte(self, value: object) -> Policy:
        """The value is at most a constant."""
        return self._compare("lte", value)

    def _compare(self, operator: CompareOperator, value: object) -> Policy:
        return Policy("compare", (self._names, operator, value))


public = Policy("public")
"""Everyone, with or without a token."""

authenticated = Policy("authenticated")
"""Everyone with a valid token."""

this = PolicyPath()
"""The row that an operation is about; when creating, the row as it would be."""


def scope(name: str) -> Policy:
    """Callers whose token carries the scope, such as `users:read`."""
    return Policy("scope", (name,))


@dataclass(frozen=True, slots=True)
class Caller:
    """The id of the caller; `one(default=caller)` makes it the default of a relation."""


caller = Caller()
