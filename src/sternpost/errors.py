"""The errors of a Sternpost service: a few classes to react to, and one catalogue of codes to explain.

An error has a text for the client (`message`, `details`) and may have a text for the log alone (`log`,
the exception's cause). Nothing written to `log` ever reaches a client.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the catalogue: what a code means, and what each protocol answers with it."""

    code: str
    http: int
    grpc: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One problem of an input: where it is, a stable code for programs, a sentence for people."""

    path: str
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        return {"path": self.path, "code": self.code, "message": self.message}


_ROWS = (
    ErrorCode(
        "VALIDATION_ERROR",
        400,
        "INVALID_ARGUMENT",
        "Invalid input",
        "Correct every entry of details; the API documentation shows the schema.",
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
        "Ask for a token with the scope that the API documentation names.",
    ),
    ErrorCode(
        "GONE",
        410,
        "UNIMPLEMENTED",
        "This version of the API is not served any more",
        "Move to a newer version of the API; the Link header names a page about it where there is one.",
    ),
    ErrorCode(
        "TENANT_REQUIRED",
        403,
        "PERMISSION_DENIED",
        "This belongs to tenants, and you act for none",
        "Send a token whose tenant claim says for whom you act.",
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
        "Accept application/json.",
    ),
    ErrorCode(
        "DUPLICATE",
        409,
        "ALREADY_EXISTS",
        "A resource with this value exists already",
        "Choose another value for the field that details names.",
    ),
    ErrorCode(
        "STATE_CONFLICT",
        409,
        "FAILED_PRECONDITION",
        "The resource is in the wrong state for this",
        "Read the resource again and act on its present state.",
    ),
    ErrorCode(
        "STILL_REFERENCED",
        409,
        "FAILED_PRECONDITION",
        "Other resources still refer to this one",
        "Delete or change what refers to it first.",
    ),
    ErrorCode("WRITE_CONFLICT", 409, "ABORTED", "Another change came in between", "Send the request again."),
    ErrorCode(
        "PRECONDITION_FAILED",
        412,
        "ABORTED",
        "The resource is not in the version that the request is about",
        "Read the resource again, apply the change to what it is now, and send it with the new ETag as If-Match.",
    ),
    ErrorCode(
        "PRECONDITION_REQUIRED",
        428,
        "FAILED_PRECONDITION",
        "The request has to say which version of the resource it is about",
        "Read the resource, and send the ETag of that answer as If-Match.",
    ),
    ErrorCode(
        "PAYLOAD_TOO_LARGE", 413, "RESOURCE_EXHAUSTED", "The request body is too large", "Send less in one request."
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
        "Use the id of a resource that exists.",
    ),
    ErrorCode(
        "CONSTRAINT_VIOLATED",
        422,
        "FAILED_PRECONDITION",
        "The change would break a rule of the data",
        "Correct the field that details names.",
    ),
    ErrorCode(
        "INTERNAL_ERROR",
        500,
        "INTERNAL",
        "Something went wrong on our side",
        "Try again later; give the request id when you report it.",
    ),
    ErrorCode("UNAVAILABLE", 503, "UNAVAILABLE", "The service cannot answer right now", "Try again after Retry-After."),
    ErrorCode("TIMEOUT", 504, "DEADLINE_EXCEEDED", "The operation took too long", "Try again later."),
)

CATALOGUE: dict[str, ErrorCode] = {row.code: row for row in _ROWS}
"""Every code that Sternpost itself answers with. An author's own codes come on top (see `Unprocessable`)."""


class SternpostError(Exception):
    """What a client is told. Raise one of its subclasses from a service; each has a code of the catalogue.

    Args:
        message: the sentence for the client; by default the catalogue's.
        code: an own code in UPPER_SNAKE_CASE for a more precise answer; the status stays the class's.
        details: every single problem, each with the path of the value it is about.
        log: further facts for the log alone.
        retry_after_seconds: sent as `Retry-After` where set.
    """

    catalogue_code = "INTERNAL_ERROR"

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
        self.message = message or entry.message
        self.code = code or entry.code
        self.http_status = entry.http
        self.grpc_status = entry.grpc
        self.fix = entry.fix
        self.details = tuple(details)
        self.log = log or {}
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self.message)


class Gone(SternpostError):
    """The version of the API is not served any more."""

    catalogue_code = "GONE"


class Invalid(SternpostError):
    """The schema refuses the input (400)."""

    catalogue_code = "VALIDATION_ERROR"


class Unauthenticated(SternpostError):
    """Who is calling is not known, or the credentials are not valid (401)."""

    catalogue_code = "UNAUTHENTICATED"


class InvalidCredentials(Unauthenticated):
    """Credentials were sent, and are not valid (401)."""


class Forbidden(SternpostError):
    """The caller is known, sees the row, and may not do this (403)."""

    catalogue_code = "FORBIDDEN"


class TenantRequired(Forbidden):
    """The resource belongs to tenants, and the caller acts for none that could have rows of it (403)."""

    catalogue_code = "TENANT_REQUIRED"


class NotFound(SternpostError):
    """There is no such thing, or the caller may not know of it (404)."""

    catalogue_code = "NOT_FOUND"


class Conflict(SternpostError):
    """The present state does not allow it (409)."""

    catalogue_code = "STATE_CONFLICT"


class Duplicate(Conflict):
    """A unique value is taken (409)."""

    catalogue_code = "DUPLICATE"


class StillReferenced(Conflict):
    """Other rows refer to the one to be deleted (409)."""

    catalogue_code = "STILL_REFERENCED"


class WriteConflict(Conflict):
    """The database gave up this transaction in favour of another: serialization failure or deadlock (409)."""

    catalogue_code = "WRITE_CONFLICT"


class PreconditionFailed(SternpostError):
    """The row has another version than the caller says, or is there although it must not be (412)."""

    catalogue_code = "PRECONDITION_FAILED"


class PreconditionRequired(SternpostError):
    """The caller has to say which version of the row it is about (428, RFC 6585)."""

    catalogue_code = "PRECONDITION_REQUIRED"


class Unprocessable(SternpostError):
    """Well-formed, but the business refuses it (422)."""

    catalogue_code = "UNPROCESSABLE"


class ReferenceNotFound(Unprocessable):
    """A foreign key points at nothing (422)."""

    catalogue_code = "REFERENCE_NOT_FOUND"


class ConstraintViolated(Unprocessable):
    """A check of the database refuses the row (422)."""

    catalogue_code = "CONSTRAINT_VIOLATED"


class Unavailable(SternpostError):
    """A dependency is away; trying again later may work (503)."""

    catalogue_code = "UNAVAILABLE"

    def __init__(self, message: str | None = None, *, retry_after_seconds: int = 1, **more: Any) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds, **more)


class Timeout(SternpostError):
    """The operation's own time limit ran out; nothing was committed (504)."""

    catalogue_code = "TIMEOUT"


class Internal(SternpostError):
    """A bug or an unforeseen failure; the client learns nothing but the request id (500)."""

    catalogue_code = "INTERNAL_ERROR"


class MethodNotAllowed(SternpostError):
    """The address exists, the method does not (405)."""

    catalogue_code = "METHOD_NOT_ALLOWED"

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = tuple(allowed)


class NotAcceptable(SternpostError):
    """The client accepts nothing that can be produced (406)."""

    catalogue_code = "NOT_ACCEPTABLE"


class PayloadTooLarge(SternpostError):
    """The body is over the limit (413)."""

    catalogue_code = "PAYLOAD_TOO_LARGE"


class UnsupportedMediaType(SternpostError):
    """The body is not JSON (415)."""

    catalogue_code = "UNSUPPORTED_MEDIA_TYPE"


class NotLoaded(RuntimeError):
    """An author's code touched a relation that was not loaded. The message names the fix."""


class StartupError(RuntimeError):
    """The service refuses to start; the message says what to set or do. Shown without a traceback."""
