"""Between an older version of an API and the newest: inputs are made newer, answers and errors older.

Storage, services and policies know the newest version only. A request of the newest version never comes here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sternpost.data.checks import Checks
from sternpost.errors import Conflict, Detail, Invalid, SternpostError
from sternpost.exact_json import to_document
from sternpost.kinds import Unfit, parse_json
from sternpost.pipeline.call import Answer
from sternpost.pipeline.withheld import unknown_in
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.plan.row_errors import check_text
from sternpost.ports.storage import Document

Convert = Callable[[Any], Any]
Conversions = Mapping[tuple[str, str], tuple[Convert, Convert]]
"""By resource and field: what makes a newer value of an older one, and the other way round."""

NO_CONVERSIONS: Conversions = {}
UNFIT = "The value does not fit the field"


class WrongState(Conflict):
    """A row is in none of the states that a transition starts from.

    Attributes:
        present: its state; None for a caller who may not be told.
    """

    def __init__(self, resource: ResourcePlan, field: FieldPlan, present: str | None, sources: Sequence[str]) -> None:
        super().__init__()
        self.resource = resource
        self.field = field
        self.present = present
        self.sources = sources
        self.say(field.public_name, present, sources)

    def say(self, name: str, present: str | None, sources: Sequence[str]) -> None:
        """Says it in the words of a version of the API."""
        row, state, wanted = self.resource.name.lower(), present or "another", " or ".join(sources)
        self.message = f"The {name} of the {row} is {state}; this operation requires {wanted}"
        self.details = (Detail(name, "state_conflict", f"is {state}, must be {wanted}"),)

    def say_nothing(self) -> None:
        """Says it to a client that knows no such field."""
        self.message = f"The {self.resource.name.lower()} is not in a state that this operation requires"
        self.details = (Detail("", "state_conflict", "The row is in another state"),)


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a document: its older name (None where it has none), its value's older form, what lies below it."""

    name: str | None
    shown: Mapping[Any, Any] | None = None
    down: Convert | None = None
    target: str | None = None


class Translation:
    """Translates for one older version.

    Args:
        older, newest: the two plans; fields have the same `name` in both.
        conversions: for fields whose values have another form.
        checks: of the newest version's values; what a conversion made is looked at before it meets other calls' values.
    """

    def __init__(self, older: Plan, newest: Plan, conversions: Conversions, checks: Checks) -> None:
        self.older = older
        self.newest = newest
        self.conversions = conversions
        self.checks = checks
        self.members = {
            resource.name: self._members(resource, older.by_name[resource.name]) for resource in newest.resources
        }

    def answer(self, resource: str, answer: Answer) -> None:
        """Puts an answer into the older version's words."""
        if answer.document is not None:
            answer.document = self._document(resource, answer.document)
        if answer.documents is not None:
            answer.documents = [self._document(resource, document) for document in answer.documents]
        if answer.parts is not None:
            members = self.members[resource]
            answer.parts = self._parts(resource, answer.parts)
            answer.columns = tuple(
                (str(members[name].name), written or members[name].down is not None) for name, written in answer.columns
            )
        if cut := answer.meta.get("truncated"):
            answer.meta["truncated"] = sorted(self._path(resource, path) for path in cut)

    def converts(self, resource: str) -> bool:
        """Whether an author's conversion makes the answer of the resource's own fields: it may fail."""
        return any(member.down is not None for member in self.members[resource].values())

    async def _parts(self, resource: str, parts: AsyncGenerator[list[Document]]) -> AsyncGenerator[list[Document]]:
        async with aclosing(parts):
            async for part in parts:
                yield [self._document(resource, document) for document in part]

    def error(self, resource: str, error: SternpostError) -> None:
        """The same for what an error says of single members."""
        if isinstance(error, WrongState):
            self._wrong_state(error)
            return
        error.details = tuple(
            Detail(self._path(resource, detail.path), detail.code, self._message(resource, detail))
            for detail in error.details
        )

    def _wrong_state(self, error: WrongState) -> None:
        member = self.members[error.resource.name][error.field.public_name]
        if member.name is None:
            error.say_nothing()
            return
        sources = list(dict.fromkeys(str(self._value(member, source)) for source in error.sources))
        present = None if error.present is None else str(self._value(member, error.present))
        # a state that an older version shows as one that would do is told as another
        error.say(member.name, None if present in sources else present, sources)

    def upgrade(self, resource: ResourcePlan, *, creating: bool) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """What makes the newest version's values of an input of the older one.

        Raises (when called):
            Invalid: a conversion does not take the value, or makes one of it that the field cannot hold.
            RuntimeError: it made none of the field's type, which is the author's mistake.
        """
        return lambda values: self._upgraded(resource, values, "", creating=creating)

    def _members(self, newest: ResourcePlan, older: ResourcePlan) -> dict[str, _Member]:
        members: dict[str, _Member] = {}
        for field in newest.shown:
            was = older.shown_by_name[field.name]
            pair = self.conversions.get((newest.name, field.name))
            members[field.public_name] = _Member(
                None if was.hidden else was.public_name,
                dict(was.shown) or None,
                _checked(f"{newest.name}.{field.name}", pair[1]) if pair else None,
            )
        for relation in newest.relations:
            had = older.relations_by_name.get(relation.name)
            members[relation.public_name] = _Member(had.public_name if had else None, target=relation.target)
        return members

    def _document(self, resource: str, document: Document) -> Document:
        members = self.members[resource]
        older: Document = {}
        for name, value in document.items():
            member = members[name]
            if member.name is not None:
                older[member.name] = self._value(member, value)
        return older

    def _value(self, member: _Member, value: Any) -> Any:
        if member.target is not None:
            if isinstance(value, list):
                return [self._document(member.target, item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            return None if value is None else self._document(member.target, value)
        if member.shown is not None:
            value = member.shown.get(value, value)
        return value if member.down is None or value is None else member.down(value)

    def _path(self, resource: str, path: str) -> str:
        """`fullName` or `items.0.unitPrice`, in the older names; empty where the older version has no such member."""
        first, dot, rest = path.partition(".")
        member = self.members[resource].get(first)
        if member is None:
            return path
        if member.name is None:
            return ""
        if member.target is None or not dot:
            return member.name + dot + rest
        index, dot, below = rest.partition(".")
        if not index.isdigit():
            return f"{member.name}.{self._path(member.target, rest)}"
        return f"{member.name}.{index}{dot}{self._path(member.target, below)}"

    def _message(self, resource: str, detail: Detail) -> str:
        older = self.older.by_name[resource]
        check = next((each for each in older.checks if each.name == detail.code), None)
        if check is not None:
            return check_text(older, check)
        if detail.code not in ("duplicate", "overlap"):
            return detail.message
        members = self.members[resource]
        return re.sub(
            r"\w+", lambda word: (members[word[0]].name or "value") if word[0] in members else word[0], detail.message
        )

    def _upgraded(self, resource: ResourcePlan, values: dict[str, Any], path: str, *, creating: bool) -> dict[str, Any]:
        for name, value in values.items():
            pair = self.conversions.get((resource.name, name))
            if pair is not None and value is not None:
                values[name] = self._converted(resource, name, pair[0], value, path)
        for relation in resource.owned_relations:
            target = self.older.by_name[relation.target]
            for index, item in enumerate(values.get(relation.name, ())):
                self._upgraded(target, item, f"{path}{relation.public_name}.{index}.", creating=False)
        if creating:
            values |= {name: value for name, value in unknown_in(self.older, resource).items() if value is not None}
        return values

    def _converted(self, resource: ResourcePlan, name: str, up: Convert, value: Any, path: str) -> Any:
        newest = self.newest.by_name[resource.name]
        field, where = newest.fields_by_name[name], path + resource.fields_by_name[name].public_name
        try:
            found = up(value)
        except ValueError as error:
            raise Invalid(details=[Detail(where, "value_error", str(error))]) from error
        except ArithmeticError as error:  # of Decimal, say, whose texts are for programmers
            raise Invalid(details=[Detail(where, "value_error", UNFIT)]) from error
        if field.references is not None:
            return found
        try:
            return self.checks.stored(newest, field, found)
        except (ValueError, ArithmeticError) as error:
            raise Invalid(details=[Detail(where, "value_error", UNFIT)]) from error
        except TypeError as error:
            raise RuntimeError(
                f"The conversion up=… of {resource.name}.{name} made a {type(found).__name__}"
            ) from error


def _checked(name: str, down: Convert) -> Convert:
    """A conversion that makes nothing but what can be an answer's value: dates and the like are written as text."""

    def convert(value: Any) -> Any:
        found = down(value)
        if isinstance(found, date | UUID):
            return found
        try:
            return to_document(parse_json(found))
        except Unfit as error:
            raise RuntimeError(f"The conversion down=… of {name} made no JSON: {error}") from None

    return convert
