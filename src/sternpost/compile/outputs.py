"""What operations of the author's own answer with: rows, lists and pages, redirects, own media types and errors."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from sternpost.compile.options import Add, is_whole, shown
from sternpost.contract.resource import Resource
from sternpost.data.pages import Page
from sternpost.errors import CATALOGUE, SternpostError
from sternpost.plan.model import MediaPlan, OutputForm, OwnError
from sternpost.web import MEDIA_BYTES_MAX, MEDIA_TYPE, Media, Redirect

BYTES_MAX = 100_000_000
"""The most bytes that an answer can be declared to have: it is kept in memory as a whole."""

_POLICY = re.compile(r"[\x20-\x7e]{1,2000}")
_JSON = re.compile(r"application/([a-z0-9.-]+\+)?json")
_IN_PARTS = ("multipart/", "message/")
_STREAMS = ("text/event-stream", "application/x-ndjson")


def is_own(declared: object) -> bool:
    """Whether an output is declared that is no JSON, rightly or not."""
    return isinstance(declared, Media | Redirect) or declared is Media or declared is Redirect


def refuse_input(declared: object, add: Add) -> None:
    """Reports what is an answer, and stands as an input."""
    if is_own(declared):
        add(
            "input",
            "SP603",
            f"input={_shown(declared)} is an answer",
            "declare a Payload as the input, or leave it out",
        )


def redirects(declared: object, add: Add) -> bool:
    """Whether the answer is another address; a redirect that was made already is reported."""
    if isinstance(declared, Redirect):
        add(
            "output",
            "SP603",
            "output=Redirect(…) names one address for all calls",
            "write output=Redirect, and return Redirect(url) from the function",
        )
    return declared is Redirect or isinstance(declared, Redirect)


def media_of(declared: object, add: Add) -> MediaPlan | None:
    """The media type that is declared; None where the answer has none."""
    if declared is Media:
        add("output", "SP603", "output=Media names no media type", 'write output=Media("application/pdf")')
        return MediaPlan("application/octet-stream", MEDIA_BYTES_MAX)
    if not isinstance(declared, Media):
        return None
    problem = _problem(declared.type)
    if problem is not None:
        add("output", "SP601", f"Media({shown(declared.type)}): {problem[0]}", problem[1])
    _check_options(declared, add)
    return MediaPlan(str(declared.type), declared.max_bytes, declared.content_security_policy)


def _problem(media: Any) -> tuple[str, str] | None:
    """What is wrong with a media type, and the fix."""
    if not isinstance(media, str):
        return "a media type is a string", 'write Media("application/pdf")'
    if ";" in media:
        return "a media type has no parameters here; texts are sent as UTF-8", "leave out what follows the semicolon"
    if media != media.lower():
        return "it is not in lower case", f"write Media({media.lower()!r})"
    if not MEDIA_TYPE.fullmatch(media):
        return "it is not type/subtype", 'write a media type such as "text/csv"'
    if _JSON.fullmatch(media):
        return "JSON is what every operation answers with", "declare a Payload, and write output=ThatPayload"
    if media.startswith(_IN_PARTS):
        return "an answer has one part", 'answer with an archive, such as "application/zip"'
    if media in _STREAMS:
        return "an answer is sent as a whole, not as a stream", "use Browse(export=True) for whole lists"
    return None


def _check_options(declared: Media, add: Add) -> None:
    if not is_whole(declared.max_bytes) or not 1 <= declared.max_bytes <= BYTES_MAX:
        add(
            "output",
            "SP602",
            f"max_bytes={shown(declared.max_bytes)} is not a whole number from 1 to {BYTES_MAX}",
            "write max_bytes=1_000_000",
        )
    policy: Any = declared.content_security_policy
    if policy is None:
        return
    if not isinstance(policy, str) or not _POLICY.fullmatch(policy):
        add(
            "output",
            "SP602",
            f"content_security_policy={shown(policy)} is not one line of ASCII",
            "write content_security_policy=\"default-src 'none'; style-src 'self'\"",
        )
    elif declared.type not in ("text/html", "application/xhtml+xml", "image/svg+xml"):
        add(
            "output",
            "SP602",
            f"content_security_policy says what a page may load, and {declared.type} is no page",
            "remove it",
        )


def _shown(declared: object) -> str:
    return f"{type(declared).__name__}(…)" if isinstance(declared, Media | Redirect) else shown(declared)


def form_of(declared: Any) -> tuple[OutputForm, Any]:
    """Whether one is declared, a list, or a page of a list; and of what."""
    forms: dict[Any, OutputForm] = {list: "list", Page: "page"}
    form = forms.get(typing.get_origin(declared))
    return ("one", declared) if form is None else (form, typing.get_args(declared)[0])


def row_of(declared: Any, resources: Mapping[str, object]) -> str | None:
    """The resource of the contract that is declared, by itself or by its name; None for anything else."""
    name = declared.__forward_arg__ if isinstance(declared, typing.ForwardRef) else declared
    if isinstance(name, str):  # a class cannot name itself in its own body
        return name if name in resources else None
    if isinstance(declared, type) and issubclass(declared, Resource) and declared.__name__ in resources:
        return declared.__name__
    return None


_CODE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def own_errors(classes: Sequence[type[Any]], add: Add) -> tuple[OwnError, ...]:
    """The errors that an operation declares; each has a code of its own."""
    found: dict[str, OwnError] = {}
    for cls in classes:
        code = getattr(cls, "code", "")
        if not issubclass(cls, SternpostError):
            add(
                "errors",
                "SP426",
                f"{cls.__name__} is no error of Sternpost",
                f"derive it from one, such as class {cls.__name__}(Conflict)",
            )
        elif not (isinstance(code, str) and _CODE.fullmatch(code)) or code in CATALOGUE:
            add(
                "errors",
                "SP426",
                f"{cls.__name__} has no code of its own",
                'write, in the class, code = "OUT_OF_STOCK" and message = "…"',
            )
        elif code in found:
            add("errors", "SP426", f"the code {code} is listed twice", "give each class a code of its own")
        else:
            usual = CATALOGUE[cls.catalogue_code]
            status = cls.http_status or usual.http
            found[code] = OwnError(code, status, cls.message or usual.message, cls.fix or usual.fix)
    return tuple(found.values())
