"""D07: how callers prove who they are."""

from __future__ import annotations

from typing import Any, cast

from sternpost.gates.criterion import Answer, Criterion, Finding, judged
from sternpost.gates.project import Project
from sternpost.plan.policy import open_to_all

STRATEGIES = {
    "identity-provider": "tokens that an identity provider signs (STERNPOST_JWT_JWKS_URL)",
    "shared-secret": "tokens that are signed with a shared secret (STERNPOST_JWT_SECRET)",
    "api-keys": "API keys (Contract(…, api_keys=True))",
    "public": "nobody proves anything: every operation is open to everybody",
}
_WHERE = "pyproject.toml, [tool.sternpost.gates]"


def _check(project: Project) -> Answer:
    given: Any = project.options.get("auth")
    known = ", ".join(STRATEGIES)
    if given is None:
        meanings = "; ".join(f"{name}: {meaning}" for name, meaning in STRATEGIES.items())
        fix = f"write auth = […] with what fits. {meanings}"
        return judged("auth in pyproject.toml", [Finding(_WHERE, "no strategy is chosen", fix)])
    chosen: list[Any] = cast("list[Any]", given) if isinstance(given, list) else []
    if not chosen or not all(isinstance(each, str) and each in STRATEGIES for each in chosen):
        wrong = f"auth is {given!r}, and not a list of strategies"
        return judged("auth in pyproject.toml", [Finding(_WHERE, wrong, f"choose from: {known}")])
    looked_at = "; ".join(STRATEGIES[each] for each in chosen)
    return judged(looked_at, [Finding(_WHERE, what, fix) for what, fix in _contradictions(project, set(chosen))])


def _contradictions(project: Project, chosen: set[str]) -> list[tuple[str, str]]:
    closed = [operation.id for _, operation in project.plan.operations.values() if not open_to_all(operation.policy)]
    found: list[tuple[str, str]] = []
    if ("api-keys" in chosen) != project.plan.api_keys:
        says = "takes" if project.plan.api_keys else "does not take"
        found.append((f"the contract {says} API keys", "make auth and Contract(…, api_keys=…) agree"))
    if "public" in chosen and chosen != {"public"}:
        found.append(("public stands beside other strategies", "remove it: operations with allow=public stay open"))
    if "public" in chosen and closed:
        found.append((f"{len(closed)} operations ask who calls, such as {closed[0]}", "choose how callers prove that"))
    return found


CRITERION = Criterion(
    "D07",
    "It is chosen how callers prove who they are",
    "Operations, clients and the deployment depend on it; it is the dearest decision to change later (OWASP API2).",
    "Write `auth = […]` under `[tool.sternpost.gates]` in `pyproject.toml`, with one or several of: "
    + ", ".join(f"`{name}`" for name in STRATEGIES)
    + ".",
    _check,
)
