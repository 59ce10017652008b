"""Answers as bytes: `{"data", "meta"}`, with the headers that belong to them."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, quote_from_bytes

import orjson

from sternpost.pipeline.call import ENCODING, Answer
from sternpost.plan.model import OperationPlan, Plan
from sternpost.protocols.http.headers import RequestHeaders, check_accept_of
from sternpost.protocols.http.messages import JSON, FixedHeaders, Header, Scope
from sternpost.protocols.http.observed import HttpObservation
from sternpost.protocols.http.prefix import prefix_of
from sternpost.protocols.rest.batch import encode_results
from sternpost.protocols.rest.conditions import entity_tag, not_modified
from sternpost.web import content_type

CONTENT_SECURITY_POLICY = b"content-security-policy"

KEPT_BYTES_MAX = 300
"""The longest query whose next-page address is cached."""

LINK_BYTES_MAX = 6144
"""The longest address of a next page. Many servers and clients take 8 kB of headers in all; a client with a longer
query goes on with the cursor in the body."""

_KEPT = "%!$&'()*+,;=:@/?-._~[]"
_PLAIN = re.compile(rb"[A-Za-z0-9%!$&'()*+,;=:@/?._~\[\]-]*")


def encode(
    operation: OperationPlan, answer: Answer, observation: HttpObservation, scope: Scope, request: RequestHeaders
) -> tuple[int, list[Header], bytes]:
    """Status, headers and body of an answer to a request."""
    status = answer.status or operation.status
    if operation.returns_nothing:
        return status, _own_headers(answer), b""
    data = answer.data
    if data is None:
        other = _without_data(operation, status, answer, observation)
        if other is not None:
            return other
    meta = {**answer.meta, "requestId": observation.request_id}
    headers: list[Header] = [JSON, *_own_headers(answer)] if answer.headers else [JSON]
    if following := answer.meta.get("nextCursor"):
        link = _link(scope, following)
        if len(link[1]) <= LINK_BYTES_MAX:
            headers.append(link)
    if answer.version is not None:
        content = orjson.dumps(data, option=ENCODING)
        tag = entity_tag(answer.version, content)
        headers.append((b"etag", tag))
        if operation.method == "GET" and not_modified(request, tag):
            return 304, [(b"etag", tag)], b""
        data = orjson.Fragment(content)
    if operation.kind == "create" and answer.document is not None:
        headers.append((b"location", f"{prefix_of(scope)}{operation.path}/{answer.document['id']}".encode()))
    return status, headers, orjson.dumps({"data": data, "meta": meta}, option=ENCODING)


def _own_headers(answer: Answer) -> list[Header]:
    return [(name.encode(), value.encode()) for name, value in answer.headers]


def _without_data(
    operation: OperationPlan, status: int, answer: Answer, observation: HttpObservation
) -> tuple[int, list[Header], bytes] | None:
    """The response of what holds no data of a resource; None where there is just nothing of it."""
    own = _own_headers(answer)
    if answer.content is not None and operation.media is not None:
        return status, [(b"content-type", content_type(operation.media.type).encode()), *own], answer.content
    if answer.redirect is not None:
        return answer.redirect.status, [(b"location", answer.redirect.url.encode()), *own], b""
    if operation.kind == "batch":
        return status, [JSON], encode_results(answer.results, observation.request_id)
    return None


def check_own_accept(accept: bytes, operation: OperationPlan) -> None:
    """Raises `NotAcceptable` where the client does not take the media type that an operation answers with. To be sent
    elsewhere is nothing that a client takes or does not."""
    if operation.media is not None:
        check_accept_of(accept, operation.media.type.encode())


def pages_of(plan: Plan, fixed: FixedHeaders) -> dict[str, FixedHeaders]:
    """The headers of operations that answer with pages which may load something, by the operation's id."""
    found: dict[str, FixedHeaders] = {}
    for _, operation in plan.operations.values():
        policy = operation.media.content_security_policy if operation.media is not None else None
        if policy is not None:
            kept = (pair for pair in fixed.pairs if pair[0] != CONTENT_SECURITY_POLICY)
            found[operation.id] = FixedHeaders(*kept, (CONTENT_SECURITY_POLICY, policy.encode()))
    return found


def _link(scope: Scope, cursor: str) -> Header:
    """The address of the next page (RFC 8288): the same list from behind this one."""
    query: bytes = scope["query_string"]
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    if prefix := prefix_of(scope):
        path = prefix.encode() + path
    start = _list_address(path, query) if len(query) <= KEPT_BYTES_MAX else _list_address.__wrapped__(path, query)
    return b"link", b'%s%s>; rel="next"' % (start, cursor.encode())


@lru_cache(maxsize=1000)
def _list_address(path: bytes, query: bytes) -> bytes:
    parts = [part for part in query.split(b"&") if part and not part.startswith((b"page=", b"cursor="))]
    return b"<%s?%s" % (path, _quoted(b"&".join([*parts, b"cursor="])))


def _quoted(query: bytes) -> bytes:
    """A query as it may stand in a header between `<` and `>`: what a URL has to encode, and clients do not
    always, is."""
    return query if _PLAIN.fullmatch(query) else quote_from_bytes(query, _KEPT).encode()
