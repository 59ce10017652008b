"""The second gate: what the contract says is implemented, and tests prove it."""

from __future__ import annotations

from sternpost.gates.implement import (
    acceptance,
    bad_input,
    caching,
    coverage,
    implemented,
    layers,
    migrations,
    policies,
    secrets,
    shared_state,
    structured_errors,
    swallowed,
)

CRITERIA = (
    layers.CRITERION,
    implemented.CRITERION,
    bad_input.CRITERION,
    structured_errors.CRITERION,
    migrations.CRITERION,
    policies.CRITERION,
    acceptance.CRITERION,
    coverage.CRITERION,
    secrets.CRITERION,
    swallowed.CRITERION,
    shared_state.CRITERION,
    caching.CRITERION,
)
