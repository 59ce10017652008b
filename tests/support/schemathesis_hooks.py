"""What no schema can say, for schemathesis: a cursor cannot be guessed, and does not go together with a page."""

from __future__ import annotations

import re
from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Begins a list by cursor wherever a cursor would be made up; test_lists.py has those that are wrong."""
    query = case.query
    if query and isinstance(query.get("cursor"), str):
        wrong = "page" in query and not re.fullmatch("[1-9][0-9]*", str(query["page"]))
        left_out = "cursor" if wrong else "page"
        kept = {name: value for name, value in query.items() if name != left_out}
        case.query = kept if wrong else kept | {"cursor": ""}
