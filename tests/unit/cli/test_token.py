"""`sternpost token` prints what the service accepts, or says why it cannot."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import jwt as pyjwt
import pytest

from sternpost import Browse, Contract, One, Read, Resource, Settings, Sternpost, field, one, scope
from sternpost.auth.jwt import SCOPES_MAX, TOKEN_BYTES_MAX
from sternpost.cli.claims import read_claims
from sternpost.cli.configuration import development_token
from sternpost.cli.main import main
from sternpost.errors import StartupError
from sternpost.testing import Client
from tests.conftest import LogLines

SECRET = "unit-tests-7f3a9c1e5b2d4860a1c3e5f7"
RESOURCES_OF_A_LARGE_CONTRACT = 134


class Ledger(Resource, prefix="led"):
    """Every kind of place that names a scope."""

    name: str
    salary: str = field(default="", read="ledgers:salary")
    parent: One[Ledger] | None = one(read="ledgers:parent", link=scope("ledgers:link"))

    browse = Browse(allow=scope("ledgers:read"))


class Invoice(Resource, prefix="inv"):
    """Under another scope."""

    name: str

    browse = Browse(allow=scope("invoices:read") | scope("invoices:admin"))
    read = Read(allow=scope("invoices:read"))


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(jwt_secret=SECRET)


def large(*actions: str) -> list[str]:
    return [f"resource{number}s:{action}" for number in range(RESOURCES_OF_A_LARGE_CONTRACT) for action in actions]


async def test_a_token_with_patterns_holds_the_scopes_of_the_contract(settings: Settings, log_lines: LogLines) -> None:
    app = Sternpost(Contract("books", resources=[Ledger, Invoice]), settings=settings, write_log=log_lines)
    async with Client(app) as client:

        async def status(path: str, *scopes: str) -> int:
            token = development_token(settings, "ada", list(scopes), 60)
            return (await client.get(f"/api/v1/{path}", token=token)).status

        assert await status("ledgers", "*:read") == await status("invoices", "*:read") == 200
        assert (await status("ledgers", "ledgers:*"), await status("invoices", "ledgers:*")) == (200, 403)
        assert await status("ledgers?fields=salary", "*:read") == 400
        assert await status("ledgers?fields=salary,parentId", "ledgers:*") == 200
        assert await status("invoices", "*:delete") == 403
        of_a_test = await client.get("/api/v1/ledgers", token=client.token("ada", "*:read"))
        assert of_a_test.status == 200


async def test_a_token_of_a_large_contract_is_accepted_or_not_made(settings: Settings, log_lines: LogLines) -> None:
    app = Sternpost(Contract("books", resources=[Ledger, Invoice]), settings=settings, write_log=log_lines)
    made = refused = 0
    reasons: set[str] = set()
    async with Client(app) as client:
        for count in range(0, 3 * RESOURCES_OF_A_LARGE_CONTRACT + 1, 6):
            scopes = large("read", "write", "admin")[:count]
            try:
                token = development_token(settings, "ada", ["ledgers:read", *scopes], 60)
            except StartupError as error:
                refused += 1
                reasons.add(re.sub(r"\d+", "N", str(error)))
            else:
                made += 1
                assert len(token) <= TOKEN_BYTES_MAX
                assert (await client.get("/api/v1/ledgers", token=token)).status == 200
    assert made > 10
    assert refused > 10
    assert len(reasons) == 1
    assert "too large" in str(reasons)
    assert "'*:read'" in str(reasons)


@pytest.mark.parametrize(
    ("more", "options", "reason"),
    [
        ({}, {"scopes": [f"s{number}" for number in range(SCOPES_MAX + 1)]}, "more than 500 scopes"),
        ({}, {"scopes": ["x" * 6000]}, "too large"),
        ({}, {"seconds": 10**12}, "exp is not a valid time"),
        ({"jwt_issuer": "x" * 6000}, {}, "too large"),
        ({"jwt_tenant_claim": "exp"}, {"tenant": "a"}, "exp is not a valid time"),
        ({"jwt_tenant_claim": "sub"}, {"tenant": "other"}, "STERNPOST_JWT_TENANT_CLAIM"),
        ({"jwt_tenant_claim": "scope"}, {"tenant": "admin"}, "STERNPOST_JWT_TENANT_CLAIM"),
    ],
)
def test_no_token_is_made_that_the_service_refuses(
    settings: Settings, more: dict[str, str], options: dict[str, object], reason: str
) -> None:
    given: dict[str, object] = {"scopes": [], "seconds": 60, "tenant": None, **options}
    with pytest.raises(StartupError, match=reason):
        development_token(settings.model_copy(update=more), "ada", **given)  # type: ignore[arg-type]


def test_the_command_prints_no_such_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STERNPOST_JWT_SECRET", SECRET)
    for name in ("stdout", "stderr", "excepthook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))  # put back at the end
    monkeypatch.setattr(
        sys, "argv", ["sternpost", "token", "--sub", "ada", "--scope", " ".join(large("read", "write", "admin"))]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert "too large" in printed.err


def test_a_token_has_the_claims_that_are_asked_for(settings: Settings) -> None:
    written = ["plan=pro", "level=3", 'teams=["a", "b"]', "beta=true", "word=tru"]
    claims = read_claims(written)
    assert claims == {"plan": "pro", "level": 3, "teams": ("a", "b"), "beta": True, "word": "tru"}
    token = development_token(settings, "ada", [], 60, claims=claims)
    payload = pyjwt.decode(token, options={"verify_signature": False})
    assert (payload["teams"], payload["level"], payload["sub"]) == (["a", "b"], 3, "ada")
    for wrong in ("plan", "=pro", "ratio=1.5", f"plan={'x' * 300}", "a={}"):
        with pytest.raises(StartupError, match="is no claim"):
            read_claims([wrong])
