"""The settings of a command: whose options count, and the secret that development has of its own."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sternpost import Sternpost
from sternpost.cli.configuration import SECRET_FILE, configure, development_settings, development_token
from sternpost.errors import StartupError
from tests.support.contracts import contract_of, contract_text

GIVEN = "given-4f9d2c7b8a6e1035d2c4b6a8e0f1a2b3"


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """An empty folder, and no settings but those that a test makes."""
    monkeypatch.chdir(tmp_path)
    for name in ("ENV", "JWT_SECRET", "JWT_JWKS_URL", "PORT", "HOST", "WORKERS", "ROOT_PATH"):
        monkeypatch.delenv(f"STERNPOST_{name}", raising=False)
    monkeypatch.setenv("STERNPOST_DATABASE_URL", "sqlite:///notes.sqlite")

    def make(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"STERNPOST_{name}", value)

    return make


def secret() -> str:
    found = development_settings(serving=False).jwt_secret
    assert found is not None
    return found.get_secret_value()


@pytest.mark.usefixtures("environ")
def test_development_has_a_secret_of_its_own_that_stays() -> None:
    first = secret()
    assert len(first) == 64
    assert secret() == first
    assert SECRET_FILE.read_text() == first
    assert stat.S_IMODE(SECRET_FILE.stat().st_mode) == 0o600
    assert SECRET_FILE.with_name(".gitignore").read_text() == "*\n"
    SECRET_FILE.unlink()
    assert secret() != first


@pytest.mark.parametrize(
    "variables",
    [
        {"JWT_SECRET": GIVEN},
        {"JWT_JWKS_URL": "https://example.com/keys"},
        {"ENV": "production", "JWT_SECRET": GIVEN},
        {"ENV": "production", "JWT_JWKS_URL": "https://example.com/keys"},
    ],
)
def test_no_secret_is_made_where_it_is_said_how_to_verify_tokens(
    environ: Callable[..., None], variables: dict[str, str]
) -> None:
    environ(**variables)
    found = development_settings(serving=False).jwt_secret
    assert (found and found.get_secret_value()) == variables.get("JWT_SECRET")
    assert not SECRET_FILE.parent.exists()


def test_where_others_sign_tokens_none_is_made(environ: Callable[..., None]) -> None:
    environ(JWT_JWKS_URL="https://example.com/keys")
    with pytest.raises(StartupError, match="Tokens are verified with the keys of STERNPOST_JWT_JWKS_URL"):
        development_token(development_settings(), "ada", [], 60)


def test_options_come_before_the_environment(environ: Callable[..., None]) -> None:
    environ(PORT="9001", HOST="127.0.0.2", WORKERS="2", ROOT_PATH="/outer")
    with contract_of(contract_text({"Box": {"label": "str"}})) as contract:
        app = Sternpost(contract)
    found = configure(app)
    assert (found.port, found.host, found.workers, found.root_path) == (9001, "127.0.0.2", 2, "/outer")
    found = configure(app, port=9002, host="127.0.0.3", workers=1, root_path="/inner")
    assert (found.port, found.host, found.workers, found.root_path) == (9002, "127.0.0.3", 1, "/inner")
    assert app.settings.port == 9002
    with pytest.raises(StartupError, match="--root-path: "):
        configure(app, root_path="no path?")
