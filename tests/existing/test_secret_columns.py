"""Columns that hold secrets are for a scope of their own, are masked, and cannot be searched."""

from __future__ import annotations

import pytest

from sternpost.infer.secret_names import is_secret
from sternpost.plan.model import Kind
from sternpost.storage.sql.tables import FoundColumn
from tests.existing.support import infer_from

PEOPLE = """
    CREATE TABLE people ({id}, name varchar(40) NOT NULL, "passwordHash" varchar(100) NOT NULL, api_key varchar(40) UNIQUE,
                         max_tokens int, token_type varchar(10));
    CREATE INDEX people_name ON people (name);
    CREATE INDEX people_hash ON people ("passwordHash");
    CREATE INDEX people_type ON people (token_type);
    CREATE TABLE api_keys ({id}, label varchar(40), key varchar(40), people_id int REFERENCES people);
    INSERT INTO people (name, "passwordHash", api_key) VALUES ('Ada', '$2b$12$abc', 'k-1');
"""
REASON = (
    "it holds a secret, as its name or type tells: only with the scope people:secrets is it seen or set, "
    "and no list is filtered by it"
)


async def test_secrets_are_for_a_scope_of_their_own(database_url: str) -> None:
    inference = await infer_from(database_url, PEOPLE)
    assert inference.declared("password_hash") == (
        'password_hash: str = field(max_length=100, read="people:secrets", sensitive=True, column="passwordHash")'
    )
    assert inference.reasons("people.passwordHash") == inference.reasons("people.api_key") == [REASON]
    assert "api-keys:secrets" in inference.reasons("api_keys.key")[0]
    assert 'sort=["name", "token_type"]' in inference.text
    assert inference.declared("token_type") == "token_type: str | None = field(max_length=10, filter=True)"
    async with inference.served() as call:
        (ada,) = (await call("GET", "people")).data
        assert {"passwordHash", "apiKey"}.isdisjoint(ada)
        for query in ("passwordHash=x", "apiKey=k-1", "sort=passwordHash", "sort=apiKey", "fields=apiKey"):
            assert (await call("GET", f"people?{query}")).status == 400, query
        refused = await call("PATCH", f"people/{ada['id']}", {"apiKey": "k-2"})
        assert (refused.status, refused.error["details"][0]["path"]) == (403, "apiKey")
        assert (await call("PATCH", f"people/{ada['id']}", {"name": "Ada L."})).status == 200
        assert (await call("POST", "people", {"name": "Bob", "passwordHash": "x"})).status == 403
    async with inference.served("people:secrets") as call:
        (ada,) = (await call("GET", "people")).data
        assert (ada["passwordHash"], ada["apiKey"]) == ("$2b$12$abc", "k-1")
        assert (await call("GET", "people?passwordHash=x")).status == 400
        made = await call("POST", "people", {"name": "Bob", "passwordHash": "x"})
        assert (made.status, made.data["passwordHash"]) == (201, "x")


async def test_a_domain_may_tell_of_a_secret(postgres_database: str) -> None:
    inference = await infer_from(
        postgres_database,
        "CREATE DOMAIN secret_text AS text; CREATE DOMAIN longer AS secret_text;"
        "CREATE TABLE t (id serial PRIMARY KEY, a secret_text, b longer, c text)",
    )
    assert inference.declared("a") == 'a: str | None = field(read="ts:secrets", sensitive=True)'
    assert inference.declared("b") == 'b: str | None = field(read="ts:secrets", sensitive=True)'
    assert inference.declared("c") == "c: str | None"


async def test_a_default_that_is_a_secret_is_not_told(database_url: str) -> None:
    inference = await infer_from(
        database_url,
        "CREATE TABLE t ({id}, token varchar(9) NOT NULL DEFAULT 'open', n int); INSERT INTO t (n) VALUES (1)",
    )
    assert inference.declared("token") == (
        'token: str = field(max_length=9, read="ts:secrets", sensitive=True, auto="database")'
    )
    async with inference.served("ts:secrets") as call:
        made = await call("POST", "ts", {"n": 2})
        assert (made.status, made.data["token"]) == (201, "open")


async def test_what_refers_to_a_secret_is_one(database_url: str) -> None:
    inference = await infer_from(
        database_url,
        "CREATE TABLE login ({id}, token varchar(40) UNIQUE, n int);"
        "CREATE TABLE visit ({id}, login varchar(40) REFERENCES login (token), n int)",
    )
    assert inference.declared("login") == (
        'login: str | None = field(max_length=40, read="visits:secrets", sensitive=True)'
    )


async def test_a_secret_that_is_a_key_is_in_no_id(postgres_database: str) -> None:
    inference = await infer_from(
        postgres_database,
        "CREATE TABLE session (token uuid PRIMARY KEY, n int); CREATE TABLE t (id serial PRIMARY KEY, n int)",
    )
    assert inference.reasons("session") == ["its key token holds a secret by its name, and a UUID is shown in ids"]


@pytest.mark.parametrize(
    "name",
    [
        "password", "Password", "user_password", "userPassword", "passwd", "pwd", "password_digest", "encrypted_password",
        "passphrase", "hash", "PasswordHash", "sha256_hash", "token", "accessToken", "refresh_tokens", "csrftoken", "secret",
        "client_secret", "otp", "totp_secret", "otp_code", "api_key", "apiKey", "APIKey", "apikey", "API_KEY", "private_key",
        "PrivateKey", "privatekey", "salt", "password_salt", "key_material", "keymaterial", "encryption_key", "signing_key",
        "credentials", "recovery_codes", "reset_code", "pin", "cvv", "security_answer", "access_key", "webhook_secret",
        "PassWord", "passwort", "kennwort", "mfa_seed", "cookie", "session_id", "SessionID", "nonce", "invite_code", "remember_me",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret(["person"], FoundColumn(name, "text", nullable=True), "string")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("name", "string"), ("secretary", "string"), ("hashtag", "string"), ("token_type", "string"), ("key", "string"),
        ("public_key", "string"), ("api_key_id", "integer"), ("max_tokens", "integer"), ("hash", "integer"),
        ("basalt", "string"), ("code", "string"), ("passenger", "string"), ("compass", "string"), ("keyword", "string"),
        ("password_changed_at", "datetime"), ("has_password", "boolean"), ("hash_algorithm", "string"), ("value", "string"),
        ("hash", "enum"), ("postal_code", "string"), ("opinion", "string"), ("monkey", "string"), ("token_count", "integer"),
    ],
)  # fmt: skip
def test_names_of_no_secrets(name: str, kind: Kind) -> None:
    assert not is_secret(["person"], FoundColumn(name, "text", nullable=True), kind)


@pytest.mark.parametrize("table", [["api", "key"], ["token"], ["user", "secrets"], ["credentials"]])
def test_plain_names_in_a_table_of_secrets(table: list[str]) -> None:
    for name in ("key", "value"):
        assert is_secret(table, FoundColumn(name, "text", nullable=True), "string")
    assert not is_secret(table, FoundColumn("name", "text", nullable=True), "string")
