"""Answers as they are kept with an idempotency key, and as they are given again.

They are kept as the pipeline knows them, not as bytes of a protocol: the data as JSON, and beside it the rest of the
answer. What a protocol makes of an answer that is given again is, but for the id of the request, what it made of it the
first time.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from sternpost.errors import Detail, SternpostError
from sternpost.pipeline.call import ENCODING, Answer, Result, Step
from sternpost.pipeline.operations import Execution
from sternpost.ports.idempotency import KeptAnswer
from sternpost.web import Exchange, Redirect

Head = dict[str, Any]


def kept_answer(request: bytes, run: Execution, answer: Answer) -> KeptAnswer:
    """An answer as it is kept. How large it is, the budget of answers has bounded, or `max_bytes` of its media type."""
    # Place of streamed answers: no change has one. One that had would be kept without its data, and a replay of it
    # would be 409 with the address of the row.
    assert answer.parts is None, "a change does not answer with a list in parts"
    status = answer.redirect.status if answer.redirect is not None else run.operation.plan.status
    head, body = _taken_apart(answer)
    head["status"] = status
    if answer.headers:
        head["headers"] = answer.headers
    if answer.redirect is not None:
        head["redirect"] = answer.redirect.url
    if answer.content is not None:
        head["content"], body = True, answer.content
    if answer.results:
        steps = [_step(result) for result in answer.results]
        head["results"] = [step for step, _ in steps]
        body = b"".join(data for _, data in steps)
    if run.call.exchange is not None:
        headers, cookies = run.call.exchange.response.saved()
        head["response"] = (headers, [[*key, line] for key, line in cookies.items()])
    return KeptAnswer(request, orjson.dumps(head, option=ENCODING).decode(), body)


def kept_error(request: bytes, error: SternpostError) -> KeptAnswer:
    """An error as it is kept."""
    told = {
        "code": error.code,
        "message": error.message,
        "fix": error.fix,
        "details": [(detail.path, detail.code, detail.message) for detail in error.details],
        "http": error.http_status,
        "grpc": error.grpc_status,
        "retryAfter": error.retry_after_seconds,
    }
    return KeptAnswer(request, orjson.dumps({"error": told}).decode(), b"")


def replayed(kept: KeptAnswer, exchange: Exchange | None) -> Answer:
    """The answer once more. Raises the error, where it was one."""
    head: Head = orjson.loads(kept.head)
    if "error" in head:
        raise _error(head["error"])
    if exchange is not None and "response" in head:
        headers, cookies = head["response"]
        exchange.response.restore((headers, {(name, path, domain): line for name, path, domain, line in cookies}))
    if "results" in head:
        answer = Answer(results=_results(head["results"], kept.body))
    else:
        answer = Answer(content=kept.body) if "content" in head else _put_together(head, kept.body)
    answer.status = head["status"]
    if "headers" in head:
        answer.headers = tuple((name, value) for name, value in head["headers"])
    if "redirect" in head:
        answer.redirect = Redirect(head["redirect"], head["status"])
    return answer


def _taken_apart(answer: Answer) -> tuple[Head, bytes]:
    """What there is beside the data, and the data."""
    head: Head = {}
    if answer.meta:
        head["meta"] = answer.meta
    if answer.version is not None:
        head["version"] = answer.version
    if answer.document is not None:
        if "id" in answer.document:
            head["id"] = answer.document["id"]
        return head, orjson.dumps(answer.document, option=ENCODING)
    if answer.documents is not None:
        head["many"] = True
        return head, orjson.dumps(answer.documents, option=ENCODING)
    return head, b""


def _put_together(head: Head, body: bytes) -> Answer:
    meta, version = head.get("meta", {}), head.get("version")
    if "many" in head:
        return Answer(documents=[], encoded=body, meta=meta, version=version)
    if not body:
        return Answer(meta=meta, version=version)
    document = {"id": head["id"]} if "id" in head else {}
    return Answer(document=document, encoded=body, meta=meta, version=version)


def _step(result: Result) -> tuple[Head, bytes]:
    head, body = _taken_apart(result.answer)
    head |= {"operation": result.step.operation, "as": result.step.name, "status": result.status, "size": len(body)}
    return head, body


def _results(heads: list[Head], body: bytes) -> list[Result]:
    found: list[Result] = []
    at = 0
    for head in heads:
        end = at + cast("int", head["size"])
        step = Step(head["operation"], name=head["as"])
        found.append(Result(step, head["status"], _put_together(head, body[at:end])))
        at = end
    return found


def _error(told: Head) -> SternpostError:
    """An error like the one that was raised: what a client is told of it is the same."""
    error = SternpostError(told["message"], code=told["code"], retry_after_seconds=told["retryAfter"])
    error.fix, error.http_status, error.grpc_status = told["fix"], told["http"], told["grpc"]
    error.details = tuple(Detail(*each) for each in told["details"])
    return error
