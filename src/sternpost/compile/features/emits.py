"""Events: `pay = Transition(…, emits="order.paid")` leaves a row in the outbox with each change that it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.options import Add, Shape, is_names, shown
from sternpost.contract.contract import Contract
from sternpost.contract.operations import Browse, Custom, Operation, Read

EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
EVENT_NAME_MAX = 100
"""Characters of an event's name."""

KEPT_MIN, KEPT_MAX = timedelta(minutes=1), timedelta(days=3650)


def _is_kept(value: object) -> bool:
    return isinstance(value, timedelta) and KEPT_MIN <= value <= KEPT_MAX


class Emits(Feature):
    """Events that operations emit, and how long they are kept."""

    operation_options = {  # noqa: RUF012  (a ClassVar of the base)
        "emits": Shape(
            "SP731",
            "the name of an event, or a list of them",
            '"order.paid"',
            lambda value: isinstance(value, str) or is_names(value),
        )
    }
    contract_options = {  # noqa: RUF012
        "keep_events": Shape("SP736", "a timedelta from a minute to ten years", "timedelta(days=7)", _is_kept)
    }
    codes = {  # noqa: RUF012
        "SP731": "`emits` is no name of an event, and no list of them",
        "SP732": "the name of an event is malformed",
        "SP733": "an operation that only reads emits an event",
        "SP734": "an operation of an external database emits an event",
        "SP735": "an operation emits an event twice",
        "SP736": "`keep_events` is no length of time that fits",
    }

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        names = (declared.emits,) if isinstance(declared.emits, str) else tuple(declared.emits)
        if not names:
            return {}
        for event in dict.fromkeys(names):
            if len(event) > EVENT_NAME_MAX or not EVENT_NAME.fullmatch(event):
                add(
                    "emits",
                    "SP732",
                    f"{shown(event)} is no name of an event, which is words in lower case joined by dots, of at most "
                    f"{EVENT_NAME_MAX} characters",
                    f'name what it is about and what happened to it, such as "{draft.name.lower()}.paid"',
                )
            elif names.count(event) > 1:
                add("emits", "SP735", f"the event {event} is listed twice", "list it once")
        if isinstance(declared, Browse | Read) or (isinstance(declared, Custom) and declared.method == "GET"):
            add(
                "emits",
                "SP733",
                "it changes nothing, and an event is written in the transaction of a change",
                "remove emits, or declare it on the operation that makes the change",
            )
        elif draft.external:
            add(
                "emits",
                "SP734",
                "events need a table, but Sternpost adds no tables to an external database",
                "remove emits",
            )
        return {"emits": names}

    def plan(self, contract: Contract, options: Mapping[str, Any]) -> Mapping[str, Any]:
        kept: timedelta | None = options.get("keep_events")
        return {} if kept is None else {"events_kept_seconds": int(kept.total_seconds())}
