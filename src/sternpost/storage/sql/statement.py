"""SQL text as it is sent, and the parameters that it is sent with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, FromClause, bindparam

from sternpost.plan.caller import OfCaller
from sternpost.plan.model import ResourcePlan
from sternpost.storage.sql.dialect import Codec, Dialect

SUBJECT = "subject."
NOW = "call.now"
CALLER = "caller."
TENANT = "tenant."

NO_VALUES: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that is text by now.

    Attributes:
        parameters: in the order in which they are bound: a slot's number, a field of the row that is written or one of
            our own names, and how its value becomes what the driver binds.
        subjects: the forms in which it asks for the caller, each also a parameter.
        asks_now: whether it asks for the instant of the call.
        of_caller: what else it asks of the caller, by the names of the parameters.
        written: the names of the parameters that tell what the transaction has written.
    """

    text: str
    parameters: tuple[tuple[int | str, Codec], ...]
    subjects: tuple[str, ...] = ()
    asks_now: bool = False
    of_caller: tuple[tuple[str, OfCaller], ...] = ()
    written: tuple[str, ...] = ()
    asks: bool = field(init=False, repr=False, compare=False)
    """Whether it asks for anything of the call: who calls, or when."""
    _coded: tuple[tuple[int, Callable[[Any], Any]], ...] = field(init=False, repr=False, compare=False)
    _only: str | None = field(init=False, repr=False, compare=False)
    """The name of its one parameter, where that is bound as it is: so are reads by key."""
    _names: list[str] | None = field(init=False, repr=False, compare=False)
    """Of all parameters, where none is a slot: so are new rows."""

    def __post_init__(self) -> None:
        coded = ((at, encode) for at, (_, encode) in enumerate(self.parameters) if encode is not None)
        object.__setattr__(self, "_coded", tuple(coded))
        sources = [source for source, _ in self.parameters]
        names = [source for source in sources if isinstance(source, str)]
        object.__setattr__(self, "_names", names if len(names) == len(sources) else None)
        object.__setattr__(self, "asks", bool(self.subjects or self.asks_now or self.of_caller or self.written))
        object.__setattr__(self, "_only", names[0] if len(sources) == len(names) == 1 and not self._coded else None)

    def bind(self, named: Mapping[str, Any], slots: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The values as the driver binds them."""
        if self._only is not None:
            return (named[self._only],)
        bound: list[Any]
        if self._names is not None:
            bound = list(map(named.__getitem__, self._names))
        else:
            bound = [
                slots[source] if type(source) is int else named[source]  # pyright: ignore[reportArgumentType]
                for source, _ in self.parameters
            ]
        for at, encode in self._coded:
            value = bound[at]
            if value is not None:
                bound[at] = encode(value)
        return tuple(bound)


class Assembly:
    """One statement in the making: its parameters, and the aliases of its tables.

    Names of ours never meet names of the contract's author: each parameter's name has a dot in it, which no field's
    name can have; an alias of a table is one that no table of the plan has; and columns of a subquery are told apart by
    their number.
    """

    def __init__(self, dialect: Dialect, alias_prefix: str) -> None:
        self.dialect = dialect
        self._alias_prefix = alias_prefix
        self._aliases = 0
        self._sources: dict[str, tuple[int | str, Codec]] = {}
        self._of_caller: dict[str, OfCaller] = {}
        self._written: dict[str, None] = {}
        self.outside: dict[FromClause, tuple[ResourcePlan, FromClause]] = {}
        """For the rows of a list that a policy looks into: the row whose list it is."""

    def slot(self, number: int, encode: Codec = None, part: str = "") -> BindParameter[Any]:
        """The value of a slot. `part` tells apart what several forms of one value are bound as."""
        name = f"slot.{number}{part}"
        known = self._sources.setdefault(name, (number, encode))
        if known[1] is not encode:
            return self.slot(number, encode, f"{part}.as")
        return self._bound(name)

    def value(self, field: str, encode: Codec = None) -> BindParameter[Any]:
        """A value of a row that is written, by its field: no name of ours is like one, because ours have a dot."""
        name = f"value.{field}"
        self._sources[name] = (field, encode)
        return self._bound(name)

    def named(self, name: str, encode: Codec = None, part: str = "") -> BindParameter[Any]:
        """A value that the session knows by a name of ours, which has a dot in it. `part` as with a slot."""
        assert "." in name, "a name without a dot could be a field's"
        self._sources[name + part] = (name, encode)
        return self._bound(name + part)

    def of_caller(self, value: OfCaller, encode: Codec) -> BindParameter[Any]:
        """A value of the caller."""
        name = f"{CALLER}{len(self._of_caller)}"
        self._of_caller[name] = value
        return self.named(name, encode)

    def written(self, name: str) -> BindParameter[Any]:
        """What the transaction has written; see `written.py`."""
        self._written[name] = None
        return self.named(name)

    def alias(self, table: FromClause) -> FromClause:
        """A table under a name of its own, so that it can stand in the statement more than once."""
        self._aliases += 1
        return table.alias(f"{self._alias_prefix}{self._aliases}")

    def statement(self, element: Any) -> Statement:
        """The finished statement."""
        compiled = element.compile(dialect=self.dialect.compiler, compile_kwargs={"render_postcompile": False})
        names: tuple[str, ...] = tuple(compiled.positiontup or ())
        parameters = tuple(self._sources[name] for name in names)
        sources = [source for source, _ in parameters if isinstance(source, str)]
        subjects = tuple(source.removeprefix(SUBJECT) for source in sources if source.startswith(SUBJECT))
        return Statement(
            str(compiled),
            parameters,
            tuple(dict.fromkeys(subjects)),
            NOW in sources,
            tuple(self._of_caller.items()),
            tuple(self._written),
        )

    def _bound(self, name: str) -> BindParameter[Any]:
        return bindparam(name)


def compile_statement(element: Any, dialect: Dialect) -> Statement:
    """A statement on a table that is ours alone, whose parameters are bound as they are."""
    compiled = element.compile(dialect=dialect.compiler, compile_kwargs={"render_postcompile": False})
    return Statement(str(compiled), tuple((name, None) for name in compiled.positiontup or ()))
