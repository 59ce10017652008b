"""Answers that are no JSON: what an author's function has returned, as bytes or as another address."""

from __future__ import annotations

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


def _content(operation: OperationPlan, media: MediaPlan, result: object) -> bytes:
    content = result.encode() if isinstance(result, str) else result
    if not isinstance(content, bytes):
        raise RuntimeError(f"{operation.id} is declared to return bytes or str, not {type(result).__name__}")
    if len(content) > media.max_bytes:
        raise Budget(UNBOUNDED, media.max_bytes).too_large()
    return content
