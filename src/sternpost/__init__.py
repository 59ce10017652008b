"""Sternpost: declare a backend as a contract in typed Python, and serve it.

Everything a contract and its services need is importable from here. The application itself (`Sternpost`) and what it
brings along are loaded on first use, so that importing a contract stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sternpost.contract.computes import computes
from sternpost.contract.contract import Contract
from sternpost.contract.database_objects import DatabaseObject
from sternpost.contract.fields import computed, count_of, exists_of, field, in_python, latest_of, sum_of
from sternpost.contract.hooks import (
    after_authentication,
    after_commit,
    after_validation,
    around_handler,
    before_encoding,
)
from sternpost.contract.implements import implements
from sternpost.contract.limits import (
    Limit,
    by_claim,
    fixed_window,
    given,
    leaky_bucket,
    sliding_window,
    token_bucket,
)
from sternpost.contract.objectives import Objective
from sternpost.contract.operations import (
    Browse,
    Create,
    Custom,
    Delete,
    Operation,
    Read,
    Replace,
    Restore,
    Transition,
    Update,
    related,
    searched,
)
from sternpost.contract.policy import Policy, authenticated, caller, claim, named, now, outer, public, scope, this
from sternpost.contract.providers import provide
from sternpost.contract.relations import Many, One, Owned, many, one
from sternpost.contract.resource import Payload, Resource
from sternpost.contract.row_rules import check, no_overlap
from sternpost.contract.types import Email, Format, IPAddress, Json, Slug, Url
from sternpost.contract.versions import Added, Changed, Removed, Renamed, Version
from sternpost.errors import (
    Conflict,
    ConstraintViolated,
    Detail,
    Duplicate,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    NotLoaded,
    OutcomeUnknown,
    Overlapping,
    RateLimited,
    ReferenceNotFound,
    SternpostError,
    StillReferenced,
    Timeout,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    WriteConflict,
)
from sternpost.version import __version__

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost
    from sternpost.compile.diagnostics import ContractError
    from sternpost.data.change import Change
    from sternpost.data.context import Context, HttpContext
    from sternpost.data.database import Database
    from sternpost.data.hooks import HookCall, Proceed
    from sternpost.data.pages import Page, PageRequest
    from sternpost.data.table import Repository, Table
    from sternpost.ports.audit import AuditEntry
    from sternpost.ports.authenticator import Principal
    from sternpost.settings import Settings
    from sternpost.web import Media, Redirect, Request, Response

_LAZY = {
    "Sternpost": "sternpost.app.application",
    "ContractError": "sternpost.compile.diagnostics",
    "AuditEntry": "sternpost.ports.audit",
    "Change": "sternpost.data.change",
    "Context": "sternpost.data.context",
    "Database": "sternpost.data.database",
    "HookCall": "sternpost.data.hooks",
    "HttpContext": "sternpost.data.context",
    "Media": "sternpost.web",
    "Principal": "sternpost.ports.authenticator",
    "Proceed": "sternpost.data.hooks",
    "Page": "sternpost.data.pages",
    "PageRequest": "sternpost.data.pages",
    "Redirect": "sternpost.web",
    "Table": "sternpost.data.table",
    "Repository": "sternpost.data.table",
    "Request": "sternpost.web",
    "Response": "sternpost.web",
    "Settings": "sternpost.settings",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'sternpost' has no attribute {name!r}")


__all__ = [
    "Added",
    "AuditEntry",
    "Browse",
    "Change",
    "Changed",
    "Conflict",
    "ConstraintViolated",
    "Context",
    "Contract",
    "ContractError",
    "Create",
    "Custom",
    "Database",
    "DatabaseObject",
    "Delete",
    "Detail",
    "Duplicate",
    "Email",
    "Forbidden",
    "Format",
    "HookCall",
    "HttpContext",
    "IPAddress",
    "Internal",
    "Invalid",
    "Json",
    "Limit",
    "Many",
    "Media",
    "NotFound",
    "NotLoaded",
    "Objective",
    "One",
    "Operation",
    "OutcomeUnknown",
    "Overlapping",
    "Owned",
    "Page",
    "PageRequest",
    "Payload",
    "Policy",
    "Principal",
    "Proceed",
    "RateLimited",
    "Read",
    "Redirect",
    "ReferenceNotFound",
    "Removed",
    "Renamed",
    "Replace",
    "Repository",
    "Request",
    "Resource",
    "Response",
    "Restore",
    "Settings",
    "Slug",
    "Sternpost",
    "SternpostError",
    "StillReferenced",
    "Table",
    "Timeout",
    "Transition",
    "Unauthenticated",
    "Unavailable",
    "Unprocessable",
    "Update",
    "Url",
    "Version",
    "WriteConflict",
    "__version__",
    "after_authentication",
    "after_commit",
    "after_validation",
    "around_handler",
    "authenticated",
    "before_encoding",
    "by_claim",
    "caller",
    "check",
    "claim",
    "computed",
    "computes",
    "count_of",
    "exists_of",
    "field",
    "fixed_window",
    "given",
    "implements",
    "in_python",
    "latest_of",
    "leaky_bucket",
    "many",
    "named",
    "no_overlap",
    "now",
    "one",
    "outer",
    "provide",
    "public",
    "related",
    "scope",
    "searched",
    "sliding_window",
    "sum_of",
    "this",
    "token_bucket",
]
