"""The first gate: the contract is complete, and can be reviewed, before code is written."""

from __future__ import annotations

from sternpost.gates.design import (
    authentication,
    changes,
    decisions,
    diagrams,
    documentation,
    errors,
    idempotency,
    indexes,
    limits,
    models,
    openapi,
    policies,
    style,
)

CRITERIA = (
    models.CRITERION,
    policies.CRITERION,
    limits.CRITERION,
    errors.CRITERION,
    idempotency.CRITERION,
    documentation.CRITERION,
    authentication.CRITERION,
    openapi.CRITERION,
    changes.CRITERION,
    indexes.CRITERION,
    style.CRITERION,
    decisions.CRITERION,
    diagrams.CRITERION,
)
