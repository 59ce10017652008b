"""The JSON schemas of a document: of values, of what operations take, and of what they give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sternpost.ids import pattern as id_pattern
from sternpost.kinds import KEY_MAX, KINDS
from sternpost.plan.model import (
    FieldPlan,
    ListOf,
    MapOf,
    ObjectOf,
    PayloadPlan,
    Plan,
    ResourcePlan,
    Structure,
)
from sternpost.plan.row_errors import check_text, overlap_text
from sternpost.plan.shapes import InputShape, ListMember, OutputRelation
from sternpost.plan.structures import items_of, tag_of

Schema = dict[str, Any]


class Schemas:
    """Makes schemas; those with a name are kept in `named` and referred to."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.named: dict[str, Schema] = {}

    # -- values

    def value(self, field: FieldPlan) -> Schema:
        """A value that the field allows, without null."""
        schema = KINDS[field.kind].schema(field) if field.structure is None else self._structure(field.structure)
        if field.labels:
            schema["oneOf"] = [{"const": value, "title": label} for value, label in field.labels]
        if field.references is not None:
            schema["pattern"] = id_pattern(self.plan.by_name[field.references].prefix)
        if field.description:
            schema["description"] = field.description
        if field.example is not None:
            schema["examples"] = [field.example]
        return schema

    def _structure(self, structure: Structure) -> Schema:
        match structure:
            case ListOf(items, least, most):
                return {"type": "array", "items": self.member(items), "minItems": least, "maxItems": most}
            case MapOf(values, least, most):
                return {
                    "type": "object",
                    "additionalProperties": self.member(values),
                    "propertyNames": {"maxLength": KEY_MAX},
                    "minProperties": least,
                    "maxProperties": most,
                }
            case ObjectOf(payloads, None):
                return self.payload(payloads[0])
            case ObjectOf(payloads):
                tags = [tag_of(structure, payload) for payload in payloads]
                schemas = [self.payload(payload) for payload in payloads]
                mapping = {tag.choices[0]: schema["$ref"] for tag, schema in zip(tags, schemas, strict=True)}
                told_apart = {"propertyName": tags[0].public_name, "mapping": mapping}
                return {"oneOf": schemas, "discriminator": told_apart}

    def filter_value(self, field: FieldPlan) -> Schema:
        """A value that a filter may ask for: any of the kind, where the field allows fewer."""
        field = items_of(field) or field
        every = KINDS[field.kind].any_schema
        # labels are told in words there: pages offer the values of an enum alone to choose from
        free = replace(field, minimum=None, maximum=None, labels=())
        return self.value(free) if every is None else dict(every)

    def member(self, field: FieldPlan) -> Schema:
        """A value that the field allows, null too where it may be."""
        schema = self.value(field)
        if field.nullable and ("$ref" in schema or "oneOf" in schema):
            return {"anyOf": [schema, {"type": "null"}]}
        if not field.nullable or "type" not in schema:  # a schema that names no type allows null already
            return schema
        if "enum" in schema:
            return {**schema, "type": ["string", "null"], "enum": [*schema["enum"], None]}
        return {**schema, "type": [schema["type"], "null"]}

    def _with_default(self, field: FieldPlan) -> Schema:
        schema = self.member(field)
        if field.default is not None:
            schema["default"] = field.default
        if field.caller_default:
            schema["description"] = "Defaults to the caller's id"
        return schema

    # -- what is given

    def output(self, resource: ResourcePlan) -> Schema:
        """A row as a whole."""
        if resource.name not in self.named:
            self.named[resource.name] = {}  # a relation may come back to it
            shape = resource.shape.output
            properties = self._shown(resource)
            required = [member.public_name for member in shape.members if member.read_scope is None]
            for relation in shape.relations:
                target = self.output(self.plan.by_name[relation.target])
                properties[relation.public_name] = _related(relation, target)
                if relation.kind == "one":
                    properties[relation.public_name]["description"] = (
                        f"Present only with include={relation.public_name}"
                    )
                elif relation.kind == "owned":
                    required.append(relation.public_name)
            self.named[resource.name] = {
                "type": "object",
                "description": resource.description or resource.name,
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        return reference(resource.name)

    def or_id(self, resource: ResourcePlan) -> Schema:
        """A row, or its id where the caller may not read it."""
        alone = {
            "type": "object",
            "description": "For callers who may do this, but not read the resource",
            "properties": {"id": self.member(resource.fields_by_name["id"])},
            "required": ["id"],
            "additionalProperties": False,
        }
        return {"anyOf": [self.output(resource), alone]}

    def chosen(self, resource: ResourcePlan) -> Schema:
        """A row of which a client may have chosen the fields."""
        return {"anyOf": [self.output(resource), self._part(resource)]}

    def _part(self, resource: ResourcePlan) -> Schema:
        name = f"{resource.name}Part"
        if name not in self.named:
            self.named[name] = {}  # a relation may come back to it
            self.output(resource)
            whole = self.named[resource.name]
            properties = self._shown(resource)
            for relation in resource.shape.output.relations:
                properties[relation.public_name] = _related(relation, self._part(self.plan.by_name[relation.target]))
            self.named[name] = {
                "type": "object",
                "description": f"The fields selected with `fields` of: {whole.get('description', resource.name)}",
                "properties": properties,
                "additionalProperties": False,
            }
        return reference(name)

    def _shown(self, resource: ResourcePlan) -> Schema:
        fields = (resource.shown_by_name[member.name] for member in resource.shape.output.members)
        return {
            field.public_name: self.member(field) if field.derived is None else {**self.member(field), "readOnly": True}
            for field in fields
        }

    # -- what is taken

    def input(self, shape: InputShape, resource: ResourcePlan) -> Schema:
        """The input of a shape of a resource's fields."""
        fields = resource.fields_by_name
        if shape.name not in self.named:
            properties: Schema = {}
            for member in shape.members:
                field = fields[member.name]
                schema = self.member(field) if shape.partial else self._with_default(field)
                properties[member.public_name] = _scoped(schema, member.write_scope)
            properties.update({each.public_name: self._list(each) for each in shape.lists})
            required = [each.public_name for each in (*shape.members, *shape.lists) if each.required]
            rules = _rules(resource)
            self.named[shape.name] = {
                "type": "object",
                **({"description": rules} if rules else {}),
                "properties": properties,
                **({"required": required} if required else {}),
                "additionalProperties": False,
            }
        return reference(shape.name)

    def _list(self, each: ListMember) -> Schema:
        target = self.plan.by_name[each.target]
        item = (
            {"type": "string", "pattern": id_pattern(target.prefix)}
            if each.items is None
            else self.input(each.items, target)
        )
        schema = {"type": "array", "items": item, "minItems": each.min_items, "maxItems": each.max_items}
        return _scoped(schema, each.write_scope)

    def payload(self, payload: PayloadPlan) -> Schema:
        """A structure of a custom operation, as its input or its output."""
        if payload.name not in self.named:
            required = [field.public_name for field in payload.fields if field.required]
            self.named[payload.name] = {
                "type": "object",
                "description": payload.description or payload.name,
                "properties": {field.public_name: self._with_default(field) for field in payload.fields},
                **({"required": required} if required else {}),
                "additionalProperties": False,
            }
        return reference(payload.name)


def reference(name: str) -> Schema:
    """A reference to a schema with a name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _rules(resource: ResourcePlan) -> str:
    """The rules over rows, as part of a description."""
    checks = [f"`{check.name}`: {check_text(resource, check)}." for check in resource.checks]
    spans = [f"{overlap_text(resource, overlap)}." for overlap in resource.no_overlap]
    parts = ["What breaks one of these is answered with 422:", *checks] if checks else []
    parts += ["What breaks one of these is answered with 409:", *spans] if spans else []
    return " ".join(parts)


def _related(relation: OutputRelation, target: Schema) -> Schema:
    return {"oneOf": [target, {"type": "null"}]} if relation.kind == "one" else {"type": "array", "items": target}


def _scoped(schema: Schema, scope: str | None) -> Schema:
    """The schema of a member that only callers with a scope may send."""
    if scope is None:
        return schema
    said = schema.get("description")
    note = f"Only with the scope `{scope}`"
    return {**schema, "description": f"{said}. {note}" if said else note}
