"""The errors of a Sternpost service: exception classes to raise and catch, and the catalogue of error codes.

An error has a text for the client (`message`, `details`) and may have a text for the log alone (`log`,
the exception's cause). Nothing written to `log` ever reaches a client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

DETAILS_MAX = 100
DETAILS_CHARACTERS_MAX = 16_000
"""Problems that an error tells, and their characters in all; of more than that only the number is told."""

TEXT_MAX = 4000
"""Characters of one text of an error."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the catalogue: what a code means, and the status that each protocol responds with."""

    code: str
    http: int
    grpc: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One problem in an input: its path, a stable code for programs, and a sentence for people."""

    path: str
    code: str
    message: str

    def __post_init__(self) -> None:
        for name in ("path", "code", "message"):
            object.__setattr__(self, name, _sendable(f"Detail.{name}", getattr(self, name)))

    @property
    def characters(self) -> int:
        """How many characters its texts have."""
        return len(self.path) + len(self.code) + len(self.message)

    def within(self, path: str) -> Detail:
        """The same of a part of an input, which is at a path."""
        return Detail(f"{path}.{self.path}" if self.path else path, self.code, self.message)

    def as_json(self) -> dict[str, str]:
        return {"path": self.path, "code": self.code, "message": self.message}


_ROWS = (
    ErrorCode(
        "VALIDATION_ERROR",
        400,
        "INVALID_ARGUMENT",
        "Invalid input",
        "Correct every problem listed in details; the API documentation shows the schema.",
    ),
    ErrorCode(
        "MALFORMED_REQUEST",
        400,
        "INVALID_ARGUMENT",
        "This is no valid request of HTTP/1.1",
        "Use a client that speaks HTTP/1.1, over TLS where the address begins with https.",
    ),
    ErrorCode(
        "UNAUTHENTICATED",
        401,
        "UNAUTHENTICATED",
        "Authentication is missing or invalid",
        "Send a valid token: Authorization: Bearer <token>.",
    ),
    ErrorCode(
        "FORBIDDEN",
        403,
        "PERMISSION_DENIED",
        "You are not allowed to do this",
        "Use a token that may do this: with the scope that the API documentation names, or of whom the row allows it.",
    ),
    ErrorCode(
        "GONE",
        410,
        "UNIMPLEMENTED",
        "This version of the API is no longer served",
        "Use a newer version of the API; the Link header, if present, points to the migration guide.",
    ),
    ErrorCode(
        "TENANT_REQUIRED",
        403,
        "PERMISSION_DENIED",
        "The resource belongs to a tenant, but the request is not made for a valid tenant",
        "Send a token whose tenant claim names the tenant that you act for.",
    ),
    ErrorCode("NOT_FOUND", 404, "NOT_FOUND", "There is no such resource", "Check the address and the id."),
    ErrorCode(
        "METHOD_NOT_ALLOWED",
        405,
        "UNIMPLEMENTED",
        "This address does not support the method",
        "Use one of the methods in the Allow header.",
    ),
    ErrorCode(
        "NOT_ACCEPTABLE",
        406,
        "INVALID_ARGUMENT",
        "None of the accepted media types can be produced",
        "Send Accept: application/json.",
    ),
    ErrorCode(
        "REQUEST_TIMEOUT",
        408,
        "DEADLINE_EXCEEDED",
        "The request took too long to arrive",
        "Send the request again, as a whole; a large body at a steady pace.",
    ),
    ErrorCode(
        "DUPLICATE",
        409,
        "ALREADY_EXISTS",
        "A resource with this value already exists",
        "Choose another value. Details name the field, where it is one; of several that are taken, one.",
    ),
    ErrorCode(
        "OVERLAP",
        409,
        "FAILED_PRECONDITION",
        "The span of this resource overlaps that of another one",
        "Choose another span. Details name the fields of its start and its end.",
    ),
    ErrorCode(
        "STATE_CONFLICT",
        409,
        "FAILED_PRECONDITION",
        "The current state of the resource does not allow this operation",
        "Read the resource again, and choose an operation that its current state allows.",
    ),
    ErrorCode(
        "STILL_REFERENCED",
        409,
        "FAILED_PRECONDITION",
        "Other resources still refer to this one",
        "First delete the resources that refer to it, or change their references; details name those that you may see.",
    ),
    ErrorCode(
        "WRITE_CONFLICT",
        409,
        "ABORTED",
        "The change conflicted with another change made at the same time",
        "Send the request again.",
    ),
    ErrorCode(
        "PRECONDITION_FAILED",
        412,
        "ABORTED",
        "The current version of the resource does not match the precondition of the request",
        "Read the resource again, apply the change to its current state, and send it with the new ETag as If-Match.",
    ),
    ErrorCode(
        "PRECONDITION_REQUIRED",
        428,
        "FAILED_PRECONDITION",
        "The request must state which version of the resource it changes",
        "Read the resource, and send the ETag of that response in the If-Match header.",
    ),
    ErrorCode(
        "PAYLOAD_TOO_LARGE",
        413,
        "RESOURCE_EXHAUSTED",
        "The request body is too large",
        "Send less data in one request.",
    ),
    ErrorCode(
        "URL_TOO_LONG",
        414,
        "RESOURCE_EXHAUSTED",
        "The address of the request is too long",
        "Send a shorter path and query; ask for long lists in several requests.",
    ),
    ErrorCode(
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "INVALID_ARGUMENT",
        "The body's media type is not supported",
        "Send Content-Type: application/json.",
    ),
    ErrorCode(
        "UNPROCESSABLE",
        422,
        "FAILED_PRECONDITION",
        "The request is well-formed, but cannot be carried out",
        "See details.",
    ),
    ErrorCode(
        "REFERENCE_NOT_FOUND",
        422,
        "FAILED_PRECONDITION",
        "A resource that the input refers to does not exist",
        "Use the id of a resource that exists. Where several references are wrong, details name at least one.",
    ),
    ErrorCode(
        "CONSTRAINT_VIOLATED",
        422,
        "FAILED_PRECONDITION",
        "The change would violate a rule of the data",
        "Correct the input. Details name the fields, and the check that they break, where the database tells which.",
    ),
    ErrorCode(
        "IDEMPOTENCY_KEY_REQUIRED",
        400,
        "INVALID_ARGUMENT",
        "This operation needs an Idempotency-Key",
        "Send the header Idempotency-Key with a value of your own for each change, such as a UUID, and the same value "
        "when the request is sent again.",
    ),
    ErrorCode(
        "IDEMPOTENCY_KEY_IN_USE",
        409,
        "ABORTED",
        "A request with this Idempotency-Key is still being worked on",
        "Send the request again with the same key, after the time given in the Retry-After header.",
    ),
    ErrorCode(
        "IDEMPOTENCY_KEY_REUSED",
        422,
        "FAILED_PRECONDITION",
        "This Idempotency-Key was used for another request",
        "Use a new key for each change, and the same key only to send the very same request again.",
    ),
    ErrorCode(
        "RATE_LIMITED",
        429,
        "RESOURCE_EXHAUSTED",
        "Too many requests",
        "Send the request again after the time given in the Retry-After header.",
    ),
    ErrorCode(
        "TOO_MANY_CONNECTIONS",
        429,
        "RESOURCE_EXHAUSTED",
        "There are too many open connections from this address",
        "Keep connections open and use each for many requests, one after the other.",
    ),
    ErrorCode(
        "TOO_MANY_PIPELINED",
        429,
        "RESOURCE_EXHAUSTED",
        "Too many requests were sent on this connection before the first of them was answered",
        "Wait for answers before more requests are sent on one connection, or use several connections.",
    ),
    ErrorCode(
        "HEADERS_TOO_LARGE",
        431,
        "RESOURCE_EXHAUSTED",
        "The request line and the headers are too large, or there are too many headers",
        "Send a shorter address, or fewer and shorter headers.",
    ),
    ErrorCode(
        "INTERNAL_ERROR",
        500,
        "INTERNAL",
        "An unexpected error occurred on the server",
        "Try again later. If the problem remains, report it with the request id.",
    ),
    ErrorCode(
        "VALUE_NOT_REPRESENTABLE",
        500,
        "DATA_LOSS",
        "A stored value cannot be represented in an answer",
        "Details name the row and the field. Leave the field out with fields=, or have the stored value corrected.",
    ),
    ErrorCode(
        "UNAVAILABLE",
        503,
        "UNAVAILABLE",
        "The service is temporarily unavailable",
        "Try again after the time given in the Retry-After header.",
    ),
    ErrorCode(
        "TIMEOUT",
        504,
        "DEADLINE_EXCEEDED",
        "The operation took too long, and nothing of it was kept",
        "Try again later.",
    ),
    ErrorCode(
        "OUTCOME_UNKNOWN",
        504,
        "UNKNOWN",
        "It is not known whether the change was made: the database did not say so in time",
        "Read the resource, or the list that it would be in, to see whether the change was made; send the request "
        "again only if it was not.",
    ),
)

CATALOGUE: dict[str, ErrorCode] = {row.code: row for row in _ROWS}
"""Every code that Sternpost itself responds with. Services can add their own codes (see `Unprocessable`)."""


def _sendable(what: str, text: object) -> str:
    """A text as it can be sent: shortened, and with lone surrogates escaped, which UTF-8 cannot write.

    Raises:
        TypeError: it is no text, which is the author's mistake. It is told where it is made; an answer could not be.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    short = text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"
    return short if short.isascii() else short.encode("utf-8", "backslashreplace").decode()


def _bounded(details: Iterable[Detail]) -> tuple[Detail, ...]:
    """The first of many details, and how many more there are."""
    every = tuple(details)
    kept: list[Detail] = []
    characters = 0
    for detail in every[:DETAILS_MAX]:
        _check_type("details", detail, Detail)
        characters += detail.characters
        if kept and characters > DETAILS_CHARACTERS_MAX:
            break
        kept.append(detail)
    more = len(every) - len(kept)
    return (*kept, Detail("", "more_problems", f"There are {more} more problems")) if more else every


def _check_type(name: str, value: object, wanted: type) -> None:
    if not isinstance(value, wanted):
        raise TypeError(f"{name} of an error takes {wanted.__name__}, not {type(value).__name__}")


class SternpostError(Exception):
    """An error reported to the client. Raise one of its subclasses from a service; each has a code of the catalogue.

    Attributes:
        http_status: of the answer; a subclass of your own may set it, as it may set `grpc_status`.
        code, message, fix: a subclass of your own may set them for all its errors; operations that list it in `errors`
            document it.

    Args:
        message: the message for the client; by default that of the class, or of the catalogue.
        code: a more specific code of your own, in UPPER_SNAKE_CASE; the status stays that of the class.
        details: the individual problems, each with the path of the value it concerns. The first 100 are told.
        log: further facts that are only logged, never sent to the client.
        retry_after_seconds: if set, sent in the `Retry-After` header.

    Raises:
        TypeError: a text is none, or another argument is of a wrong type.
    """

    catalogue_code = "INTERNAL_ERROR"
    http_status: int = 0
    grpc_status: str = ""
    code: str = ""
    message: str = ""
    fix: str = ""
    is_of_request: bool = False
    """Whether it was found before anything was carried out, so that it is not kept with an idempotency key."""
    step: tuple[str, str | None] | None = None
    """The operation, and the id of the row, of the step that a batch ended with; for the log alone."""

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: Iterable[Detail] = (),
        log: dict[str, Any] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        entry = CATALOGUE[self.catalogue_code]
        self.message = _sendable("The message of an error", message or self.message or entry.message)
        self.code = _sendable("The code of an error", code or self.code or entry.code)
        self.http_status = self.http_status or entry.http
        if self.http_status not in range(400, 600):
            raise TypeError(f"{type(self).__name__}.http_status is no status of an error: {self.http_status!r}")
        self.grpc_status = self.grpc_status or entry.grpc
        self.fix = self.fix or entry.fix
        self.details = _bounded(details)
        self.log = log or {}
        _check_type("log", self.log, Mapping)
        if retry_after_seconds is not None:
            _check_type("retry_after_seconds", retry_after_seconds, int)
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self.message)


class Gone(SternpostError):
    """The version of the API is no longer served (410)."""

    catalogue_code = "GONE"


class Invalid(SternpostError):
    """The input does not match the schema (400)."""

    catalogue_code = "VALIDATION_ERROR"


class Unauthenticated(SternpostError):
    """The caller is not authenticated, or the credentials are not valid (401)."""

    catalogue_code = "UNAUTHENTICATED"


class InvalidCredentials(Unauthenticated):
    """Credentials were sent, but they are not valid (401)."""


class Forbidden(SternpostError):
    """The caller may see the row, but may not do this (403)."""

    catalogue_code = "FORBIDDEN"


class TenantRequired(Forbidden):
    """The rows belong to tenants, and the caller acts for no valid tenant (403)."""

    catalogue_code = "TENANT_REQUIRED"


class NotFound(SternpostError):
    """The row or address does not exist, or the caller may not see it (404)."""

    catalogue_code = "NOT_FOUND"


class Conflict(SternpostError):
    """The current state does not allow the operation (409)."""

    catalogue_code = "STATE_CONFLICT"


class Duplicate(Conflict):
    """Another row already has this unique value (409)."""

    catalogue_code = "DUPLICATE"


class Overlapping(Conflict):
    """The row's span overlaps that of another one, which `no_overlap` forbids (409)."""

    catalogue_code = "OVERLAP"


class StillReferenced(Conflict):
    """Other rows refer to the one to be deleted (409)."""

    catalogue_code = "STILL_REFERENCED"
    row: tuple[str, str] | None = None
    """Which row was to be deleted: its resource and the digits of its id; told by who knows both."""


class WriteConflict(Conflict):
    """The database aborted this transaction because of another one: serialization failure or deadlock (409)."""

    catalogue_code = "WRITE_CONFLICT"


class LockTimeout(WriteConflict):
    """A lock that another transaction holds was waited for as long as one is (409). Tried again by the client alone:
    trying at once would wait as long again."""


class PreconditionFailed(SternpostError):
    """The row's version differs from what the caller required, or it exists although it must not (412)."""

    catalogue_code = "PRECONDITION_FAILED"


class PreconditionRequired(SternpostError):
    """The caller must state which version of the row to change (428, RFC 6585)."""

    catalogue_code = "PRECONDITION_REQUIRED"


class Unprocessable(SternpostError):
    """The request is well-formed, but a business rule rejects it (422)."""

    catalogue_code = "UNPROCESSABLE"


class ReferenceNotFound(Unprocessable):
    """A reference points to a row that does not exist (422)."""

    catalogue_code = "REFERENCE_NOT_FOUND"

    @classmethod
    def at(cls, paths: Iterable[str], log: dict[str, Any] | None = None) -> ReferenceNotFound:
        """The error with the paths of the references. A row that is hidden is told in the words for one that is not
        there, so these stand here alone."""
        details = [Detail(path, "reference_not_found", "There is no such resource") for path in paths]
        return cls(details=details, log=log)


class ConstraintViolated(Unprocessable):
    """A check constraint of the database rejects the row (422)."""

    catalogue_code = "CONSTRAINT_VIOLATED"

    @classmethod
    def dropped(cls) -> ConstraintViolated:
        """The error of a row that the database took without an error and did not keep."""
        return ConstraintViolated(
            log={"database": "the change was not made: a trigger, a rule or row level security has dropped it"}
        )


class IdempotencyKeyRequired(SternpostError):
    """The operation is declared to need an `Idempotency-Key` (400)."""

    catalogue_code = "IDEMPOTENCY_KEY_REQUIRED"


class IdempotencyKeyInUse(Conflict):
    """A request with the same key is being worked on, and did not end while this one waited (409)."""

    catalogue_code = "IDEMPOTENCY_KEY_IN_USE"


class IdempotencyKeyReused(Unprocessable):
    """The key belongs to a request with another body (422)."""

    catalogue_code = "IDEMPOTENCY_KEY_REUSED"


class RateLimited(SternpostError):
    """A limit of the operation, or of the service, refuses the call (429, RFC 6585)."""

    catalogue_code = "RATE_LIMITED"


class Unavailable(SternpostError):
    """A dependency is unavailable; trying again later may work (503)."""

    catalogue_code = "UNAVAILABLE"

    def __init__(self, message: str | None = None, *, retry_after_seconds: int = 1, **more: Any) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds, **more)


class Timeout(SternpostError):
    """The operation's own time limit ran out; nothing was committed (504)."""

    catalogue_code = "TIMEOUT"


class OutcomeUnknown(SternpostError):
    """The database did not confirm a commit, nor that it failed: the change may have been made (504)."""

    catalogue_code = "OUTCOME_UNKNOWN"


class Internal(SternpostError):
    """A bug or an unexpected failure; the client is only told the request id (500)."""

    catalogue_code = "INTERNAL_ERROR"


class ValueNotRepresentable(SternpostError):
    """Another program has stored a value that the field's kind does not know, such as an infinity (500)."""

    catalogue_code = "VALUE_NOT_REPRESENTABLE"


class MethodNotAllowed(SternpostError):
    """The address exists, the method does not (405)."""

    catalogue_code = "METHOD_NOT_ALLOWED"

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = tuple(allowed)


class NotAcceptable(SternpostError):
    """The client accepts none of the media types that can be produced (406)."""

    catalogue_code = "NOT_ACCEPTABLE"


class PayloadTooLarge(SternpostError):
    """The body exceeds the limit (413)."""

    catalogue_code = "PAYLOAD_TOO_LARGE"


class RequestTimeout(SternpostError):
    """The request took too long to arrive (408)."""

    catalogue_code = "REQUEST_TIMEOUT"


class HeadersTooLarge(SternpostError):
    """The head of the request exceeds a limit (431, RFC 6585)."""

    catalogue_code = "HEADERS_TOO_LARGE"


class MalformedRequest(SternpostError):
    """What was sent is no HTTP, or not as HTTP/1.1 has it (400, RFC 9112)."""

    catalogue_code = "MALFORMED_REQUEST"


class UrlTooLong(SternpostError):
    """The path and the query exceed the limit (414)."""

    catalogue_code = "URL_TOO_LONG"


class TooManyConnections(SternpostError):
    """The address has as many connections as it may have (429)."""

    catalogue_code = "TOO_MANY_CONNECTIONS"


class TooManyPipelined(SternpostError):
    """A connection has sent more requests than may wait for their answers (429)."""

    catalogue_code = "TOO_MANY_PIPELINED"


class UnsupportedMediaType(SternpostError):
    """The body is not JSON (415)."""

    catalogue_code = "UNSUPPORTED_MEDIA_TYPE"


class UnsupportedCoding(UnsupportedMediaType):
    """The body is compressed in a way that is not supported (415; RFC 9110, 15.5.16)."""

    message = "The body's content coding is not supported"
    fix = "Send the body as it is, or compressed with Content-Encoding: gzip."


class NotLoaded(RuntimeError):
    """A service read a relation that was not loaded. The message names the fix."""


class StartupError(RuntimeError):
    """The service refuses to start; the message says what to set or do. Shown without a traceback."""
