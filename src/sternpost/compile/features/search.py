"""Full-text search of lists: `Browse(search=["name", "notes"])`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.names import listed
from sternpost.compile.options import Add, Shape, shown
from sternpost.contract.operations import Browse, Operation, searched
from sternpost.contract.operations import SearchedField as Declared
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, SearchedField
from sternpost.plan.words import FIELDS_MAX, SEARCHED_CHARACTERS_MAX

_OPTION = "search"


def _are_fields(value: object) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(each, str | Declared) for each in cast("Sequence[Any]", value)
    )


class Search(Feature):
    """The fields that a list can be searched in, of whose words the database keeps an index."""

    operation_options = {  # noqa: RUF012  (a ClassVar of the base)
        _OPTION: Shape("SP440", "a list of names of fields, or of searched(…)", '["name"]', _are_fields)
    }

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        if not isinstance(declared, Browse) or not declared.search:
            return {}
        if draft.external:
            message = "search needs an index of words in the database, but Sternpost adds none to an external one"
            add(_OPTION, "SP442", message, 'remove search, and offer filters: field(filter=["contains"])')
            return {}
        given = [searched(each) if isinstance(each, str) else each for each in declared.search]
        if _fit(draft, given, add) and _are_bounded(draft, given, add):
            _refuse_filter(draft, add)
            draft.searched = tuple(each.name for each in given)
            return {_OPTION: tuple(SearchedField(each.name, each.all is True) for each in given)}
        return {}

    def resource(self, draft: ResourceDraft) -> Mapping[str, Any]:
        return {"searched": draft.searched}


def _fit(draft: ResourceDraft, given: Sequence[Declared], add: Add) -> bool:
    """Whether each is a field of texts that whoever lists the rows may read, or that is opened to them."""
    possible = [field.name for field in draft.fields.values() if _has_words(field)]
    names = [each.name for each in given]
    unknown = dict.fromkeys(shown(name) for name in names if name not in possible)
    if unknown:
        fix = f"use some of {listed(possible)}" if possible else "remove search: no field of it holds text"
        add(_OPTION, "SP440", f"{draft.name} cannot be searched in {listed(unknown)}", fix)
        return False
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    if twice:
        add(_OPTION, "SP440", f"{listed(twice)} is listed twice", "list it once")
        return False
    hidden = [each.name for each in given if draft.fields[each.name].read_scope is not None and each.all is not True]
    for name in hidden:
        needed = draft.fields[name].read_scope
        message = f"{name} is read with the scope {needed} alone, but everyone who searches would find rows by it"
        add(_OPTION, "SP441", message, f'leave it out, or open it to them: searched("{name}", all=True)')
    return not hidden


def _has_words(field: FieldPlan) -> bool:
    return KINDS[field.kind].words and not field.hidden and field.computed is None and field.generated != "tenant"


def _are_bounded(draft: ResourceDraft, given: Sequence[Declared], add: Add) -> bool:
    if len(given) > FIELDS_MAX:
        message = f"a list can be searched in at most {FIELDS_MAX} fields, and these are {len(given)}"
        add(_OPTION, "SP440", message, "leave out those that matter least")
        return False
    characters = sum(draft.fields[each.name].max_length or 0 for each in given)
    if characters > SEARCHED_CHARACTERS_MAX:
        message = f"the fields hold {characters} characters together, and at most {SEARCHED_CHARACTERS_MAX} can be kept"
        add(_OPTION, "SP440", message, "give them a smaller max_length, or leave one out")
        return False
    return True


def _refuse_filter(draft: ResourceDraft, add: Add) -> None:
    """Lists have one parameter of a name."""
    taken = next((f.name for f in draft.fields.values() if f.public_name == _OPTION and f.filters), None)
    if taken is not None:
        message = f"the list has a filter on the field {taken}, whose parameter would be the search's"
        add(_OPTION, "SP440", message, f"rename the field {taken}, or remove its filter")
