"""Answers that are no JSON: what an author's function has returned, as bytes or as another address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sternpost.data.pages import Page
from sternpost.pipeline.call import Answer
from sternpost.plan.model import MediaPlan, OperationPlan
from sternpost.ports.budget import UNBOUNDED, Budget
from sternpost.web import Redirect


def own_answer(operation: OperationPlan, result: object) -> Answer:
    """The answer of an operation with an own media type, or of one that redirects.

    Raises:
        RuntimeError: the function returned something else, which is the author's mistake.
        TooLarge: it has more bytes than are declared.
    """
    if operation.media is not None:
        return Answer(content=_content(operation, operation.media, result))
    if not isinstance(result, Redirect):
        raise RuntimeError(f"{operation.id} is declared to return a Redirect, not {type(result).__name__}")
    return Answer(redirect=result)


def listed(operation: OperationPlan, result: object, page_size: int) -> tuple[Sequence[Any], int]:
    """What a function has returned, as items, and how many there are in all.

    Raises:
        RuntimeError: it is no list, no page or more than is declared, which is the author's mistake.
    """
    if operation.output_form == "one":
        return (result,), 1
    if operation.is_paged:
        if not isinstance(result, Page):
            raise RuntimeError(f"{operation.id} is declared to return a Page, not {type(result).__name__}")
        items, total, most = cast("Page[Any]", result).items, cast("Page[Any]", result).total, page_size
    else:
        items, total, most = result, 0, operation.max_items or 0
    if not isinstance(items, Sequence) or isinstance(items, str | bytes):
        raise RuntimeError(f"{operation.id} is declared to return a list, not {type(items).__name__}")
    found = cast("Sequence[Any]", items)
    if len(found) > most:
        raise RuntimeError(f"{operation.id} returned {len(found)} items, and may return {most}")
    return found, total


def _content(operation: OperationPlan, media: MediaPlan, result: object) -> bytes:
    content = result.encode() if isinstance(result, str) else result
    if not isinstance(content, bytes):
        raise RuntimeError(f"{operation.id} is declared to return bytes or str, not {type(result).__name__}")
    if len(content) > media.max_bytes:
        raise Budget(UNBOUNDED, media.max_bytes).too_large()
    return content
