"""The declared features, each in a file of its own: keyword, checks, and what it adds to the plan.

A new one is a class that derives from `Feature` in a new file, and a line in this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.compile.diagnostics import CODES
from sternpost.compile.features.api_keys import ApiKeys
from sternpost.compile.features.audit import Audit
from sternpost.compile.features.audited import Audited
from sternpost.compile.features.computed import ComputedFields
from sternpost.compile.features.emits import Emits
from sternpost.compile.features.external import External
from sternpost.compile.features.feature import Automatic, Feature
from sternpost.compile.features.idempotency import Idempotency
from sternpost.compile.features.limits import Limits
from sternpost.compile.features.own_objects import OwnObjects
from sternpost.compile.features.proof import Proof
from sternpost.compile.features.row_rules import RowRules
from sternpost.compile.features.row_version import RowVersion
from sternpost.compile.features.search import Search
from sternpost.compile.features.soft_delete import SoftDelete
from sternpost.compile.features.tenants import Tenants
from sternpost.compile.options import Shape

FEATURES: tuple[Feature, ...] = (
    Tenants(),
    SoftDelete(),
    Audit(),
    RowVersion(),
    RowRules(),
    Search(),
    External(),
    ApiKeys(),
    OwnObjects(),
    ComputedFields(),
    Limits(),
    Idempotency(),
    Emits(),
    Audited(),
    Proof(),
)
"""All of them, in the order in which they are asked. `compile/versions.py` follows: older versions are made of the
plan."""

CLASS_KEYWORDS: tuple[str, ...] = tuple(keyword for feature in FEATURES for keyword in feature.class_keywords)

CONTRACT_OPTIONS: Mapping[str, Shape] = {
    name: shape for feature in FEATURES for name, shape in feature.contract_options.items()
}

OPERATION_OPTIONS: Mapping[str, Shape] = {
    name: shape for feature in FEATURES for name, shape in feature.operation_options.items()
}

AUTOMATIC: Mapping[str, Automatic] = {
    value: automatic for feature in FEATURES for value, automatic in feature.automatic.items()
}

ALL_CODES: Mapping[str, str] = {**CODES, **{code: text for feature in FEATURES for code, text in feature.codes.items()}}
"""Every diagnostic, with what it means."""


def additions(parts: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What several features add, as one."""
    return {name: value for part in parts for name, value in part.items()}
