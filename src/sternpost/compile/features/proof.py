"""What has to be proved of an operation: `Create(…, acceptance={…}, critical=True)`, and `Read(…, cache="none")`.

The gates ask for it. A request does not come across any of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.options import FLAG, Add, Shape, shown
from sternpost.contract.operations import UNDECIDED, Operation

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CODE_MAX = 64
TEXT_MAX = 300


class Proof(Feature):
    """Acceptance criteria, operations that the service cannot do without, and decisions about caching."""

    operation_options = {  # noqa: RUF012  (a ClassVar of the base)
        "acceptance": Shape(
            "SP741",
            "a dictionary of codes and sentences",
            '{"owner-only": "Nobody else can change it"}',
            lambda value: (
                isinstance(value, Mapping)
                and all(isinstance(each, str) for item in cast("Any", value).items() for each in item)
            ),
        ),
        "critical": FLAG,
        "cache": Shape(
            "SP743",
            '"none"; no other strategy is there yet',
            '"none"',
            lambda value: value is UNDECIDED or value == "none",
        ),
    }
    codes = {  # noqa: RUF012
        "SP741": "acceptance of an operation is no dictionary of codes and sentences",
        "SP742": "an acceptance criterion has no code that a test can name, or no sentence",
        "SP743": "cache of a read is no strategy",
        "SP744": "an operation that changes something decides about caching",
    }

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        acceptance = [(code, text.strip()) for code, text in declared.acceptance.items() if _is_told(code, text, add)]
        if acceptance:
            found["acceptance"] = tuple(acceptance)
        if declared.critical is True:
            found["critical"] = True
        if getattr(declared, "cache", UNDECIDED) is not UNDECIDED:
            if getattr(declared, "method", "GET") != "GET":
                add("cache", "SP744", "it changes something: only answers of reads can be kept", "remove cache")
            else:
                found["cache"] = "none"
        return found


def _is_told(code: str, text: str, add: Add) -> bool:
    """Whether a criterion can be named, and says something; else it is reported."""
    if CODE.fullmatch(code) is None or len(code) > CODE_MAX:
        add(
            "acceptance",
            "SP742",
            f"the code {shown(code)} is not one that a test can name",
            f"write words in small letters with dashes between them, at most {CODE_MAX} characters, such as owner-only",
        )
        return False
    if not text.strip() or len(text) > TEXT_MAX or not text.isprintable():
        add(
            "acceptance",
            "SP742",
            f"what {code} says is not a sentence on one line",
            f"say what has to be true, in at most {TEXT_MAX} characters",
        )
        return False
    return True
