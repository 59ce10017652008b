"""API keys: `Contract(…, api_keys=True)` takes them beside tokens, and keeps their digests in a table of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.compile.features.feature import Feature
from sternpost.compile.options import Add, Shape, is_flag
from sternpost.contract.contract import Contract


class ApiKeys(Feature):
    """Keys that act for a subject, made and revoked by an operator."""

    contract_options = {"api_keys": Shape("SP020", "True or False", "True", is_flag)}  # noqa: RUF012  (a ClassVar of the base)

    def check_contract(self, contract: Contract, add: Add) -> None:
        if contract.api_keys is True and contract.schema == "external":
            add(
                "api_keys",
                "SP021",
                "API keys need a table, but Sternpost adds no tables to an external database",
                "remove api_keys and use tokens",
            )

    def plan(self, contract: Contract, options: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"api_keys": options.get("api_keys", False)}
