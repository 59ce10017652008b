"""Policy expressions: `public`, `scope("…")`, `this.is_owner`, `claim("…").eq(…)`, joined by `&`, `|` and `~`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sternpost.contract.source import Source

BOOLEAN_MISUSE = "__sternpost_boolean_misuse__"
"""Class-body name under which uses of `and`, `or` and `not` are kept until the compile step reports them."""

_OWN_CODE = __name__.partition(".")[0] + "."

CompareOperator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "isNull"]


@dataclass(frozen=True, slots=True)
class Misuse:
    """What an author wrote that means nothing in a policy. It is kept until the compile step reports it.

    Attributes:
        comparison: where it is a comparison by one of Python's operators, what that would be by a method: the value,
            the method, and what it is compared with. Rules over rows are written so.
    """

    text: str
    fix: str
    comparison: tuple[PolicyPath, CompareOperator, object] | None = None

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """An expression of who may do something, as data: the compiler turns it into SQL and into a check of a row."""

    kind: Literal[
        "public",
        "authenticated",
        "scope",
        "owner",
        "compare",
        "caller",
        "through",
        "named",
        "all",
        "any",
        "not",
        "invalid",
    ]
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
        return _noted_as_boolean(itself=self.kind != "invalid")

    def __call__(self, *arguments: Any, **named: Any) -> Policy:
        """A policy that is called, such as `public()`."""
        return self if self.kind == "invalid" else _misuse(f"{_called(self)}(…)", "leave the parentheses out")

    def __getattr__(self, name: str) -> Policy:
        """Anything else that is asked of a policy, such as `this.is_owner.eq(True)`."""
        if name.startswith("__") or name in ("kind", "parts"):
            raise AttributeError(name)
        text = f"{_called(self)}.{name}"
        return self if self.kind == "invalid" else _misuse(text, "join policies by & and |, and negate one by ~")


def _noted_as_boolean(*, itself: bool = True) -> bool:
    """Notes that an author uses a value as a boolean; `itself` is what it is to the compile step, which looks at
    whatever an author wrote."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    if frame.f_globals.get("__name__", "").startswith(_OWN_CODE):
        return itself
    if "__qualname__" not in frame.f_locals:
        raise TypeError("A policy has no truth value. Use & instead of and, | instead of or, ~ instead of not.")
    frame.f_locals.setdefault(BOOLEAN_MISUSE, []).append(Source(frame.f_code.co_filename, frame.f_lineno))
    return True


def _misuse(text: str, fix: str, comparison: tuple[PolicyPath, CompareOperator, object] | None = None) -> Policy:
    return Policy("invalid", (Misuse(text, fix, comparison),))


def _called(policy: Policy) -> str:
    """A policy as its author wrote it, as far as that is short."""
    if policy.kind == "owner":
        return ".".join(("this", *policy.parts[0], "is_owner"))
    return policy.kind if policy.kind in ("public", "authenticated") else "a policy"


def _as_policy(value: object) -> Policy:
    return value if isinstance(value, Policy) else Policy("invalid", (value,))


METHODS = ("eq", "ne", "gt", "gte", "lt", "lte", "in_")
_OPERATORS = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "add": "+",
    "radd": "+",
    "sub": "-",
    "rsub": "-",
    "mul": "*",
    "rmul": "*",
    "truediv": "/",
    "rtruediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "xor": "^",
    "lshift": "<<",
    "rshift": ">>",
    "matmul": "@",
}
"""Python's operators by the names of their methods, without the underscores."""

_METHOD_OF: dict[str, CompareOperator] = {"==": "eq", "!=": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_ONE_OF = frozenset({"isin", "is_in", "any_of", "one_of"})
_NONE_OF = frozenset({"not_in", "notin_", "none_of"})
_NULL = frozenset({"is_none", "is_null", "isnull"})
_NOT_NULL = frozenset({"is_not_null", "not_null", "isnotnull", "is_not_none"})


class _Joined:
    """What is no policy by itself, and makes a wrong one, which is reported, where it is joined or negated like one."""

    __slots__ = ()

    def __and__(self, other: Any) -> Policy:
        return _as_policy(self) & other

    def __or__(self, other: Any) -> Policy:
        return _as_policy(self) | other

    __rand__ = __and__
    __ror__ = __or__

    def __invert__(self) -> Policy:
        return ~_as_policy(self)


@dataclass(frozen=True, slots=True, eq=False)
class PolicyPath(_Joined):  # noqa: PLW1641  (its hash is that of every object)
    """A value of the row (`this.status`) or of a row it refers to (`this.order.user`)."""

    _names: tuple[str, ...] = ()
    _root: Literal["this", "outer"] = "this"

    def __repr__(self) -> str:
        return ".".join((self._root, *self._names))

    def __getattr__(self, name: str) -> PolicyPath:
        if name.startswith("__"):
            raise AttributeError(name)
        return PolicyPath((*self._names, name), self._root)

    def __call__(self, *arguments: Any, **named: Any) -> Policy:
        """A method that values of rows do not have, such as `this.status.in_(…)`."""
        value, name = repr(PolicyPath(self._names[:-1], self._root)), self._names[-1] if self._names else ""
        if name in _ONE_OF | _NONE_OF:
            return _misuse(f"{self!r}(…)", f"write {'~' if name in _NONE_OF else ''}{value}.in_(…)")
        if name in _NULL | _NOT_NULL:
            return _misuse(f"{self!r}(…)", f"write {'~' if name in _NOT_NULL else ''}{value}.is_null")
        return _misuse(f"{self!r}(…)", f"the methods of a value are {', '.join(METHODS)}, such as {value}.eq(…)")

    __iter__ = None  # with `__getitem__` alone Python would take it for a sequence without an end

    def __getitem__(self, key: object) -> Policy:
        return _misuse(f"{self!r}[…]", "name a field, such as this.status")

    def __neg__(self) -> Policy:
        return _misuse(f"-{self!r}", _VALUES_FIX)

    def __bool__(self) -> bool:
        return _noted_as_boolean()

    def __contains__(self, value: object) -> bool:
        return _noted_as_boolean()

    @property
    def is_owner(self) -> Policy:
        """The caller owns the row at this path: their id is in its resource's `owner` field."""
        return Policy("owner", (self._names,)) if self._root == "this" else _outside(f"{self!r}.is_owner")

    @property
    def is_null(self) -> Policy:
        """There is no value, or the row at which it would be is none."""
        return self._compare("isNull", None)

    def in_(self, *values: object) -> Policy:
        """The value is one of several constants: `this.status.in_("paid", "placed")`, or one list of them."""
        return self._compare("in", values[0] if len(values) == 1 else values)

    def eq(self, value: object) -> Policy:
        """The value equals a constant, or another value of the row, such as `this.created_by`."""
        return self._compare("eq", value)

    def ne(self, value: object) -> Policy:
        """The value differs from a constant or another value (and neither is null)."""
        return self._compare("ne", value)

    def gt(self, value: object) -> Policy:
        """The value is greater than a constant or another value."""
        return self._compare("gt", value)

    def gte(self, value: object) -> Policy:
        """The value is at least a constant or another value."""
        return self._compare("gte", value)

    def lt(self, value: object) -> Policy:
        """The value is less than a constant or another value."""
        return self._compare("lt", value)

    def lte(self, value: object) -> Policy:
        """The value is at most a constant or another value."""
        return self._compare("lte", value)

    def any(self, policy: object) -> Policy:
        """Some row of the list fits: `this.members.any(this.user.is_owner)`. Within it `this` is the row of the list,
        and `outer` the row outside."""
        return self._through("any", policy)

    def none(self, policy: object) -> Policy:
        """No row of the list fits: `this.bans.none(this.user.is_owner)`."""
        return ~self._through("none", policy)

    def _through(self, name: str, policy: object) -> Policy:
        if self._root == "outer":
            return _outside(f"{self!r}.{name}(…)")
        return Policy("through", (self._names, name, policy))

    if TYPE_CHECKING:  # what rules over rows are written with; see `_refuse_operators`

        def __eq__(self, other: object) -> Policy: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def __ne__(self, other: object) -> Policy: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def __lt__(self, other: object) -> Policy: ...
        def __le__(self, other: object) -> Policy: ...
        def __gt__(self, other: object) -> Policy: ...
        def __ge__(self, other: object) -> Policy: ...

    def _compare(self, operator: CompareOperator, value: object) -> Policy:
        return Policy("compare", (self, operator, value))


def names_of(path: PolicyPath) -> tuple[str, ...]:
    """The names that a value was reached by, from `this` or `outer` on."""
    names: tuple[str, ...] = object.__getattribute__(path, "_names")
    return names


def is_outside(path: PolicyPath) -> bool:
    """Whether it is a value of the row outside."""
    return object.__getattribute__(path, "_root") == "outer"


def _outside(text: str) -> Policy:
    return _misuse(text, "outer is compared with: this.user.eq(outer.author); ask anything else of it outside the list")


@dataclass(frozen=True, slots=True, eq=False)
class CallerPath(_Joined):
    """A value of the caller: a claim of the token, the tenant, or the id of the API key."""

    source: Literal["claim", "tenant", "apiKey"]
    name: object = ""

    def __repr__(self) -> str:
        if self.source == "claim":
            return f"claim({self.name!r})"
        return "caller.tenant" if self.source == "tenant" else "caller.api_key"

    def eq(self, value: object) -> Policy:
        """The value equals a constant, or a value of the row."""
        return self._compare("eq", value)

    def ne(self, value: object) -> Policy:
        """The value differs from a constant, or from a value of the row."""
        return self._compare("ne", value)

    def in_(self, *values: object) -> Policy:
        """The value is one of several constants."""
        return self._compare("in", values[0] if len(values) == 1 else values)

    def _compare(self, operator: CompareOperator, value: object) -> Policy:
        return Policy("caller", (self, operator, value))

    def __getattr__(self, name: str) -> Policy:
        if name.startswith("__"):
            raise AttributeError(name)
        return _misuse(f"{self!r}.{name}", _CALLER_FIX)

    def __bool__(self) -> bool:
        return _noted_as_boolean()


_CALLER_FIX = "compare it by eq, ne or in_; or compare a value of the row with it, which has all the methods of a value"
_VALUES_FIX = f"a value of the row can only be compared, by {', '.join(METHODS)}"


def _refuse_operators() -> None:
    """Python's own operators: a comparison would be a plain `False`, and anything else an error without a place. Of a
    policy they are refused, as who reads one must not have to know that `==` has no truth value here; the comparisons
    are kept for rules over rows."""

    def refused(symbol: str) -> Any:
        def apply(self: PolicyPath | CallerPath, other: object) -> Policy:
            method, of_caller = _METHOD_OF.get(symbol), isinstance(self, CallerPath)
            if method is None or (of_caller and not hasattr(CallerPath, method)):
                return _misuse(f"{self!r} {symbol} …", _CALLER_FIX if of_caller else _VALUES_FIX)
            kept = None if isinstance(self, CallerPath) else (self, method, other)
            return _misuse(f"{self!r} {symbol} …", f"write {self!r}.{method}(…)", kept)

        return apply

    for name, symbol in _OPERATORS.items():
        setattr(PolicyPath, f"__{name}__", refused(symbol))
        setattr(CallerPath, f"__{name}__", refused(symbol))


_refuse_operators()


class HidesPolicies(_Joined):
    """A declaration within the body of its class. There it hides whatever has its name outside, such as a policy: what
    is done with it, in place of that, is a wrong policy, which the compile step reports."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Policy:
        return Policy("invalid", (self,))

    def __getattr__(self, name: str) -> Policy:
        if name.startswith("__") or name in ("options", "computed", "form", "name") or self._is_declared():
            raise AttributeError(name)
        return Policy("invalid", (self,))

    def _is_declared(self) -> bool:
        """Whether the body of the class has ended."""
        raise NotImplementedError


public = Policy("public")
"""Everyone, with or without a token."""

authenticated = Policy("authenticated")
"""Everyone with a valid token."""

this = PolicyPath()
"""The row that an operation is about; when creating, the row as it would be. Within `any(…)` and `none(…)` the row of
the list."""

outer = PolicyPath((), "outer")
"""Within `this.members.any(…)` the row outside, whose list it is."""


def claim(name: str) -> CallerPath:
    """A claim of the caller's token: `this.department.eq(claim("department"))`, `claim("plan").in_("pro", "team")`. A
    list of values is compared by `in_`: `this.department.in_(claim("departments"))`. Without the claim, or with one of
    another type, neither the comparison nor its negation holds."""
    return CallerPath("claim", name)


def named(name: str, policy: object, *, text: str) -> Policy:
    """A policy whose name and text are told to who is refused for it: `named("staff_only", scope("staff"), text="Only
    the staff of the clinic may do this")`."""
    return Policy("named", (name, policy, text))


@dataclass(frozen=True, slots=True)
class Instant:
    """The instant of the call."""

    def __repr__(self) -> str:
        return "now()"


def now() -> Instant:
    """The instant of the call, with which a policy compares a `datetime`: `this.ends_at.gt(now())`."""
    return Instant()


def scope(name: str) -> Policy:
    """Callers whose token carries the scope, such as `users:read`."""
    return Policy("scope", (name,))


@dataclass(frozen=True, slots=True)
class Caller:
    """The id of the caller; `one(default=caller)` makes it the default of a relation."""

    @property
    def tenant(self) -> CallerPath:
        """The tenant that the caller acts for: `this.clinic.eq(caller.tenant)`."""
        return CallerPath("tenant")

    @property
    def api_key(self) -> CallerPath:
        """The id of the caller's API key, as `sternpost apikey list` shows it; there is none with a token."""
        return CallerPath("apiKey")


caller = Caller()
