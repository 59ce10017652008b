"""A contract whose rows belong to tenants, with every kind of relation and operation."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    Many,
    One,
    Owned,
    Payload,
    Read,
    Replace,
    Resource,
    Transition,
    Update,
    field,
    implements,
    many,
    one,
    public,
)


class Asked(Payload):
    """What the data client is to do, and with which rows."""

    what: str
    row: str = field(default="")
    other: str = field(default="")
    text: str = field(default="")


class Told(Payload):
    """What it found."""

    said: str


class Organization(Resource, prefix="org"):
    """A tenant. It is nobody's, and anyone sees it."""

    name: str
    projects: Many[Project]

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


class Person(Resource, prefix="per", plural="people", tenant="organization_id"):
    """Works for a tenant."""

    organization: One[Organization]
    name: str = field(filter=True)
    projects: Many[Project]
    topics: Many[Topic] = many(through="topic_people")

    browse = Browse(sort=["name"], export=True, allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)


class Step(Resource, prefix="stp"):
    """Part of a project."""

    project: One[Project]
    text: str
    doer: One[Person] | None = one(on_delete="set_null")
    after: One[Project] | None = one(on_delete="set_null")


class Tag(Resource, prefix="tag", tenant="organization_id"):
    """On many projects."""

    organization: One[Organization]
    word: str = field(unique=True)
    projects: Many[Project] = many(through="project_tags")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


class Topic(Resource, prefix="top"):
    """Everybody's, and linked with rows of tenants."""

    name: str
    people: Many[Person] = many(through="topic_people")

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


class Project(Resource, prefix="prj", tenant="organization_id", unique=[("name", "state")]):
    """What tenants work on."""

    organization: One[Organization]
    name: str = field(filter=True)
    code: str | None = field(unique=True)
    budget: int = field(default=0, filter=True)
    state: Literal["open", "closed"] = field(default="open", write="never", filter=True)
    person: One[Person] | None = one(on_delete="set_null", filter=True)
    steps: Owned[Step] = many(by="project")
    tags: Many[Tag] = many(through="project_tags")
    notes: Many[Note]

    browse = Browse(sort=["name", "budget"], export=True, allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    close = Transition("state", source="open", target="closed", allow=public)
    work = Custom(on="collection", input=Asked, output=Told, allow=public)


class Note(Resource, prefix="not"):
    """Anybody's, about what may be a tenant's."""

    project: One[Project] | None = one(on_delete="cascade")
    text: str

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


class Memo(Resource, prefix="mem", tenant="company"):
    """Of a tenant that is a name."""

    company: str = field(max_length=80)
    text: str

    browse = Browse(allow=public)
    create = Create(allow=public)


class Fact(Resource, prefix="fct", tenant="account"):
    """Of a tenant that is a UUID."""

    account: UUID
    text: str

    browse = Browse(allow=public)
    create = Create(allow=public)


async def _bulk(ctx: Context, asked: Asked) -> Any:
    data, projects = ctx.data, ctx.data.table(Project)
    match asked.what:
        case "find":
            return [row.name for row in await projects.find(include={"tags": True, "steps": True, "person": True})]
        case "related":
            found = await projects.find({"tags": {"some": {"word": {"contains": ""}}}}, order=["person.name"])
            return [(row.name, row.id) for row in found]
        case "steps":
            return [row.text for row in await data.table(Step).find()]
        case "aggregate":
            groups = await projects.aggregate(by=["name"], sum=["budget"], max=["name"])
            return [(group.by, group.count, dict(group.sum)) for group in groups]
        case "update_many":
            return await projects.update_many({}, {"budget": {"increment": 1}})
        case "delete_many":
            return await projects.delete_many({"name": {"contains": asked.text or "nothing"}})
        case "update":
            return (await projects.update(asked.row, {"name": asked.text})).name
        case "create":
            made = await projects.create({"name": asked.text, "person": {"connect": asked.other}})
            return made.organization_id
        case "create_many":
            return await projects.create_many([{"name": asked.text, "person_id": asked.other or None}])
        case "connect":
            row = await projects.update(asked.row, {"tags": {"connect": [asked.other]}}, include={"tags": True})
            return [tag.word for tag in row.tags]
        case "children":
            return (await data.table(Person).update(asked.other, {"projects": {"connect": [asked.row]}})).name
        case "upsert":
            key = {"code": asked.text or "code"}
            row = await projects.upsert(key, create={"name": asked.text or "new"}, update={"budget": 7})
            return [row.name, row.id]
        case "unique":
            return (await projects.get({"code": "code"})).name
        case "repository":
            repository = ctx.repository(Project)
            return [row.name for row in await repository.find(order=["-name"])], await repository.count()
        case "repository update":
            return (await ctx.repository(Project).update(asked.row, {"name": asked.text})).name
        case "repository delete":
            return await ctx.repository(Project).delete(asked.row)
        case "increment":
            return await ctx.repository(Project).update_many({"id": asked.row}, {"budget": {"increment": 1}})
        case "delete":
            return await projects.delete(asked.row)
        case _:
            return await projects.count(), await projects.exists({"id": asked.row})


WORK = (
    *("find", "related", "steps", "aggregate", "update_many", "delete_many", "update", "create", "create_many"),
    *("connect", "children", "upsert", "unique", "repository", "repository update", "repository delete"),
    *("increment", "delete", "count"),
)


@implements(Project.work)
async def work(ctx: Context, asked: Asked) -> Told:
    """Every way in which a service gets at rows."""
    return Told(said=str(await _bulk(ctx, asked)))


contract = Contract("agency", resources=[Organization, Person, Topic, Project, Step, Tag, Note, Memo, Fact])
