"""The parameters of operations: ids, what lists and reads can be asked for, and conditions in headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sternpost.compile.names import a
from sternpost.derive.openapi.schemas import Schema, Schemas
from sternpost.ids import pattern as id_pattern
from sternpost.kinds import KINDS, SEVERAL
from sternpost.plan.model import FieldPlan, OperationPlan, Plan, ResourcePlan
from sternpost.plan.shapes import (
    FIELDS_MAX,
    IN_MAX,
    INCLUDES_MAX,
    OR_CONDITIONS_MAX,
    PAGE_MAX,
    SORTS_MAX,
    Filter,
    OutputRelation,
    RowsShape,
)
from sternpost.plan.words import TEXT_MAX, WORDS_MAX

_WORDS = {
    "eq": "is",
    "ne": "is not",
    "gt": "is greater than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "contains": "contains",
    "startsWith": "starts with",
    "iEq": "is, in capital or small letters,",
    "iContains": "contains, in capital or small letters,",
    "iStartsWith": "starts, in capital or small letters, with",
    "in": "is one of",
    "has": "contains",
    "hasAny": "contains at least one of",
    "hasAll": "contains all of",
}
_CURSOR = (
    "The meta.nextCursor of the previous page, with the same sort and filters; empty at first. "
    "Cannot be combined with page"
)
_TAGS: Schema = {
    "type": "string",
    "pattern": '^(\\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*"){0,20})$',
    "maxLength": 1000,
}


_KEY: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 257,
    "pattern": '^([!#-~][!-~]{0,254}|"[!#-\\[\\]-~]{1,255}")$',
}


def id_parameter(resource: ResourcePlan) -> Schema:
    """The id in an address."""
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": f"The id of {a(resource.name)}",
        "schema": {"type": "string", "pattern": id_pattern(resource.prefix)},
    }


def conditions(resource: ResourcePlan, operation: OperationPlan) -> list[Schema]:
    """The headers by which an operation depends on the version of the row."""
    if resource.version_field is None or not operation.on_item:
        return []
    if operation.method == "GET":
        said = (
            "ETags that the client has; if one is still current, the response is 304 without a body (RFC 9110, 13.1.2)"
        )
        return [{"name": "If-None-Match", "in": "header", "required": False, "description": said, "schema": _TAGS}]
    said = "ETags; the operation is executed only if one of them is that of the current row (RFC 9110, 13.1.1)"
    required = operation.require_match
    return [{"name": "If-Match", "in": "header", "required": required, "description": said, "schema": _TAGS}]


def key(plan: Plan, operation: OperationPlan) -> list[Schema]:
    """The header by which a change that comes again is recognised."""
    if not plan.keeps_answers or operation.method == "GET":
        return []
    said = (
        "A value of your own for each change, such as a UUID, with or without quotes around it. Where the same request "
        "comes again with it, the answer is that of the first time, and nothing is changed once more"
    )
    required = operation.idempotency == "required"
    return [{"name": "Idempotency-Key", "in": "header", "required": required, "description": said, "schema": _KEY}]


class QueryParameters:
    """Makes the parameters of reads."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.plan = schemas.plan

    def of(self, resource: ResourcePlan, operation: OperationPlan) -> list[Schema]:
        """What can be asked of an operation of a resource."""
        query, output = operation.query, resource.shape.output
        if operation.has_parameters:
            return self._own(operation)
        if query is None:
            return []
        parameters = _paging(query.page_size, query.max_page_size) if query.page_size is not None else []
        if query.rows.sorts:
            text = "Fields to sort by; a leading - sorts in descending order"
            parameters.append(_listed("sort", text, {"enum": _signed(query.rows)}, SORTS_MAX))
        if query.rows.search:
            parameters.append(_search([name for _, name in query.rows.search]))
        relations = [relation.public_name for relation in output.relations]
        if query.includes:
            text = "Relations to include; dots lead to relations of relations"
            parameters.append(_listed("include", text, {"enum": relations}, INCLUDES_MAX))
        names = [member.public_name for member in output.members] + relations
        text = "Return only these fields. Naming a relation includes it; a dot selects one of its fields"
        parameters.append(_listed("fields", text, {"enum": names}, FIELDS_MAX))
        filters = self._filters(resource, query.rows, "")
        for each in query.rows.related:
            field = self.plan.field_at(self.plan.by_name[each.target], each.value)
            filters += self._of_field(field, each.filter, f"{'.'.join(each.public_path)}.")
        parameters += filters
        if query.rows.or_groups:
            parameters.append(_or_groups(query.rows.or_groups, filters))
        for relation in output.relations:
            parameters += self._of_relation(relation)
        return parameters

    def _own(self, operation: OperationPlan) -> list[Schema]:
        """The fields of an input that is sent in the query."""
        parameters = _paged(operation.page_size or 1, operation.max_page_size) if operation.is_paged else []
        for field in operation.input.fields if operation.input is not None else ():
            schema = self.schemas.member(replace(field, nullable=False))
            described = {**_query(field.public_name, field.description, schema), "required": field.required}
            if field.default is not None:
                described["schema"] = {**schema, "default": field.default}
            if not field.description:
                del described["description"]
            if field.structure is not None:
                described |= {"style": "form", "explode": False}
            parameters.append(described)
        return parameters

    def _of_relation(self, relation: OutputRelation) -> list[Schema]:
        """The parameters of an included list. Deeper relations take the same ones; those are not described."""
        if relation.rows is None:
            return []
        name = relation.public_name
        limit = {"type": "integer", "minimum": 1, "maximum": relation.max_items}
        parameters = [_query(f"{name}.limit", f"Includes {name}: the maximum number of rows", limit)]
        if relation.rows.sorts:
            names = _signed(relation.rows)
            parameters.append(
                _listed(f"{name}.sort", f"Includes {name}: the fields to sort by", {"enum": names}, SORTS_MAX)
            )
        return parameters + self._filters(self.plan.by_name[relation.target], relation.rows, f"{name}.")

    def _filters(self, resource: ResourcePlan, rows: RowsShape, prefix: str) -> list[Schema]:
        parameters: list[Schema] = []
        for each in rows.filters:
            parameters += self._of_field(resource.fields_by_name[each.name], each, prefix)
        return parameters

    def _of_field(self, field: FieldPlan, offered: Filter, prefix: str) -> list[Schema]:
        """The filters of one field, which the page of the documentation shows together."""
        parameters: list[Schema] = []
        name, schema = offered.public_name, self.schemas.filter_value(field)
        labels = f" ({'; '.join(f'{value}: {label}' for value, label in field.labels)})" if field.labels else ""
        for operator in offered.operators:
            shown = prefix + (name if operator == "eq" else f"{name}[{operator}]")
            if operator in SEVERAL:
                within = "; a comma within a value is \\," if KINDS[field.kind].free_text else ""
                text = f"{name} {_WORDS[operator]} these values, separated by commas{within}{labels}"
                parameters.append(_listed(shown, text, schema, IN_MAX))
            elif operator == "isNull":
                parameters.append(_query(shown, f"Whether {name} is null", {"type": "boolean"}))
            else:
                parameters.append(_query(shown, f"{name} {_WORDS[operator]} this value{labels}", schema))
        return [{**each, "x-filter-of": prefix + name} for each in parameters]


def _search(names: Sequence[str]) -> Schema:
    among = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    text = (
        f"Words to search for: finds the rows in which each of them is the beginning of a word of {among}. Case does "
        f"not matter, accents do; what is neither letter nor digit separates words, of which there are at most "
        f"{WORDS_MAX}. Without sort the best come first: those with the words in {names[0]}, and with the whole words"
    )
    schema: Schema = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX}
    return {**_query("search", text, schema), "example": "ann fev"}


def _or_groups(most: int, filters: Sequence[Schema]) -> Schema:
    text = (
        f"Groups of filters joined by or, at most {most}: `or.1.status=open&or.1.price[lt]=5&or.2.status=draft` finds "
        "what is open and costs less than 5, and what is a draft. Any filter of this list may follow `or.` and the "
        "name of a group"
    )
    names = f"[1-{most}]" if most < 10 else "([1-9]|10)"
    schema: Schema = {
        "type": "object",
        "patternProperties": {
            f"^or\\.{names}\\.{_literally(each['name'])}$": each["schema"].get("items", each["schema"])
            for each in filters
        },
        "additionalProperties": False,
        "maxProperties": OR_CONDITIONS_MAX,
    }
    # a page that tries the list fills nothing in
    return {**_query("or", text, schema), "style": "form", "explode": True, "example": {}}


def _literally(name: str) -> str:
    """A pattern that fits this name alone, in every dialect of regular expressions."""
    return name.replace(".", "\\.").replace("[", "\\[").replace("]", "\\]")


def _paged(page_size: int, max_page_size: int | None) -> list[Schema]:
    size = {"type": "integer", "minimum": 1, "maximum": max_page_size, "default": page_size}
    return [
        _query(
            "page",
            "The page number, starting at 1",
            {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 1},
        ),
        _query("pageSize", "The number of rows per page", size),
    ]


def _paging(page_size: int, max_page_size: int | None) -> list[Schema]:
    return [
        *_paged(page_size, max_page_size),
        _query("cursor", _CURSOR, {"type": "string"}),
        _query("count", "With cursor: also return the total count", {"type": "boolean", "enum": [True]}),
    ]


def _signed(rows: RowsShape) -> list[str]:
    return [sign + name for name, _ in rows.sorts for sign in ("", "-")]


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _listed(name: str, description: str, item: Schema, most: int) -> Schema:
    items = {"type": "string", **item} if "type" not in item else item
    array: Schema = {"type": "array", "items": items, "minItems": 1, "maxItems": most}
    return {**_query(name, description, array), "style": "form", "explode": False}
