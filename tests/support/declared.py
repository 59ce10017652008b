"""Everything that a class line can declare about its rows, in one contract; its SQL is in `tests/golden/declared`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Delete,
    Many,
    One,
    Owned,
    Payload,
    Read,
    Resource,
    Restore,
    Sternpost,
    Transition,
    Update,
    authenticated,
    caller,
    check,
    claim,
    computed,
    computes,
    count_of,
    exists_of,
    field,
    in_python,
    latest_of,
    many,
    named,
    no_overlap,
    one,
    outer,
    searched,
    this,
)


class Room(Payload):
    name: str = field(filter=True)
    floor: int = field(default=0, filter=["gte", "in"])


class Spot(Payload):
    """Where something is done."""

    town: str = field(filter=["eq", "startsWith"])
    open_at: datetime | None = field(filter=True)
    price: Decimal = field(default=Decimal(0), decimal_places=2, filter=["lt"])
    needed: bool = field(default=False, filter=["eq"])
    room: Room | None


class Label(Resource, prefix="lab", tenant="team", soft_delete=True, unique=[("name", "color")]):
    """Put on tasks."""

    team: str
    name: str = field(filter=True)
    color: str = field(unique=True)

    browse = Browse(sort=["name"], allow=authenticated)
    delete = Delete(allow=authenticated)


ready = named(
    "ready",
    this.team.eq(caller.tenant)
    & this.parent.labels.none(this.color.eq("red") | this.name.eq(outer.title))
    & this.steps.any(this.label.eq(outer.label))
    & claim("role").in_("lead", "planner"),
    text="Only a task that is ready can be finished",
)


class Task(
    Resource,
    prefix="tas",
    tenant="team",
    soft_delete=True,
    audit=True,
    checks=[
        this.parent != this.id,
        check((this.state == "open") | ~this.due.is_null, name="done_when_due", message="A task is done by a day"),
    ],
    no_overlap=[no_overlap("label", "since", "due", where=this.state.in_("open"))],
):
    """Something to do."""

    team: str
    title: str
    secret: str | None = field(sensitive=True)
    state: Literal["open", "done"] = field(default="open", write="never", filter=True)
    since: date | None
    due: date | None
    urgency: Literal["low", "mid", "high"] = field(
        default="mid",
        filter=True,
        ordered=True,
        labels={"low": "Can wait", "mid": "This week", "high": "Today"},
    )
    spot: Spot | None
    parent: One[Task] | None = one(on_delete="cascade")
    label: One[Label] | None = one(on_delete="set_null")
    labels: Many[Label] = many(through="task_labels", write="always")
    steps: Owned[Step]
    version: int = field(auto="version")
    step_count: int = computed(count_of("steps"))
    red: bool = computed(exists_of("labels", where=this.color == "red", all=True))
    last_due: date | None = computed(latest_of("parts", "due"))
    late: bool = computed(in_python("due"))
    parts: Many[Task] = many(route=False)

    browse = Browse(
        sort=["title", "urgency"],
        default_sort=["-urgency"],
        search=["title", searched("secret", all=True)],
        allow=authenticated,
        filter=[
            *("spot.town", "spot.open_at", "spot.price", "spot.needed", "spot.room.name", "spot.room.floor"),
            "parent.spot.town",
        ],
    )
    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    update = Update(allow=this.urgency.lte("mid") & this.parent.state.eq("open"), require_match=True)
    delete = Delete(allow=authenticated)
    restore = Restore(allow=authenticated)
    finish = Transition("state", source="open", target="done", allow=ready | this.title.in_(claim("titles")))


class Step(Resource, prefix="ste"):
    """Part of a task."""

    task: One[Task]
    text: str
    label: One[Label] | None


@computes(Task, "late")
async def late(ctx: Context, rows: Sequence[Task]) -> list[bool]:
    return [row.due is not None and row.due < ctx.now().date() for row in rows]


app = Sternpost(Contract("tasks", resources=[Label, Task, Step]), services=[late])
