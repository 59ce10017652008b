"""Settings from the environment (`STERNPOST_*`), and the checks that refuse to start with unsafe ones.

Each secret has a `*_FILE` variant that names a file holding it, as container platforms mount them.
"""

from __future__ import annotations

import difflib
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from sternpost.errors import StartupError
from sternpost.networks import UNIX, read_network

SECRETS = (
    "STERNPOST_JWT_SECRET",
    "STERNPOST_SECRET_KEY",
    "STERNPOST_DATABASE_URL",
    "STERNPOST_DATABASE_REPLICA_URLS",
    "STERNPOST_REDIS_URL",
    "STERNPOST_OPS_TOKEN",
    "STERNPOST_TLS_KEY_PASSWORD",
)
"""Variables that may come from a file instead: `<NAME>_FILE`."""

OTHER_VARIABLES = frozenset(
    {
        "STERNPOST_APP",
        "STERNPOST_REQUIREMENT",
        "STERNPOST_TRACEBACK",
        "STERNPOST_VERIFY_POSTGRESQL_URL",
        # of tests, benchmarks and proofs, which start services
        "STERNPOST_BENCH_POSTGRES_URL",
        "STERNPOST_FAULTS_SEED",
        "STERNPOST_LOAD_SHARE",
        "STERNPOST_MODEL_SEED",
        "STERNPOST_SOAK_SECONDS",
        "STERNPOST_SOAK_SHARE",
        "STERNPOST_TEST_DATABASE_URL",
        "STERNPOST_TEST_POSTGRES_URL",
        "STERNPOST_WORLDS_SEED",
    }
)
"""Variables that are no settings of a service, and that something else reads."""

_OF_PLATFORMS = re.compile(r"STERNPOST_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)\w*)")
"""What Kubernetes and Docker set for a service of theirs whose name begins so."""

SECRET_BYTES_MIN = 32
"""RFC 7518, 3.2: an HS256 key has at least the size of the hash output."""


ROOT_PATH_MAX = 200
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def checked_root_path(value: str) -> str:
    """A prefix without a slash at its end. Raises `ValueError` for what is none."""
    found = value.rstrip("/")
    if len(found) > ROOT_PATH_MAX or not _ROOT_PATH.fullmatch(found):
        raise ValueError(
            f"The prefix must begin with a slash, have at most {ROOT_PATH_MAX} characters, and consist of letters, "
            "digits, '-', '.', '_' and '~' between its slashes, such as /shop"
        )
    return found


class Settings(BaseSettings):
    """The settings of a service. Each field is read from the variable `STERNPOST_<FIELD>`, in upper case."""

    model_config = SettingsConfigDict(env_prefix="STERNPOST_", env_ignore_empty=True, extra="ignore")

    env: Literal["development", "test", "production"] = Field(
        default="development",
        description="production refuses to start with a missing or weak secret",
    )
    service: str | None = Field(
        default=None, description="service name in log lines; by default the name of the contract"
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    root_path: str = Field(
        default="",
        description="the prefix that the service is reached below, such as /shop, where a proxy serves it below one",
    )
    workers: int = Field(
        default=1, ge=1, le=512, description="number of worker processes; more than one run under a supervisor"
    )
    worker_start_seconds: float = Field(default=60.0, gt=0, description="how many seconds a worker may take to start")
    worker_silent_seconds: float = Field(
        default=15.0,
        gt=1,
        description="after how many seconds without a sign of life the supervisor replaces a worker",
    )
    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///sternpost.sqlite"),
        description="sqlite:///path or postgresql://user:password@host/name",
    )
    database_pool_size: int = Field(default=10, ge=1, le=1000, description="connections per process (PostgreSQL)")
    database_replica_urls: SecretStr | None = Field(
        default=None, description="streaming replicas of the database that serve reads; URLs, separated by spaces"
    )
    database_pgbouncer: bool = Field(
        default=False, description="true if the database is reached through PgBouncer in transaction mode"
    )
    database_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        description="how many seconds a request waits for a database connection, or for the SQLite writer",
    )
    database_statement_seconds: float | None = Field(
        default=None,
        gt=0,
        description="seconds that one statement of a request may take (PostgreSQL); by default as long as a request",
    )
    jwt_secret: SecretStr | None = Field(default=None, description="HS256 secret, at least 32 bytes")
    secret_key: SecretStr | None = Field(
        default=None,
        description="encrypts cursors and integer keys, at least 32 bytes; by default derived from the JWT secret",
    )
    jwt_jwks_url: str | None = Field(default=None, description="URL of the JWKS with the public keys of tokens")
    jwt_issuer: str | None = Field(default=None, description="if set, the iss that tokens must have")
    jwt_audience: str | None = Field(default=None, description="if set, the aud that tokens must have")
    jwt_leeway_seconds: float = Field(
        default=5.0,
        ge=0,
        le=300,
        description="how many seconds the clock of who makes tokens may differ: for exp, nbf and iat",
    )
    jwt_tenant_claim: str = Field(
        default="tenant", min_length=1, description="the claim with the tenant that the caller acts for"
    )
    api_key_cache_seconds: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="how many seconds a process may still accept an API key after it was revoked; "
        "0 asks the database at each request",
    )
    tls_certificate_path: str | None = Field(
        default=None, description="serves HTTPS: the certificate with its chain, a file in PEM"
    )
    tls_key_path: str | None = Field(
        default=None, description="the key of the certificate, a file in PEM; by default it is in the same file"
    )
    tls_key_password: SecretStr | None = Field(default=None, description="what the file of the key is encrypted with")
    tls_client_ca_path: str | None = Field(
        default=None, description="clients must have a certificate of these authorities, a file in PEM"
    )
    hsts_seconds: int | None = Field(
        default=None,
        ge=0,
        description="seconds that browsers are to use HTTPS alone (Strict-Transport-Security); by default a year where "
        "this process serves HTTPS itself, otherwise the header is left out",
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list[str], description="origins allowed by CORS, separated by commas"
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1, description="largest request body, in bytes, as it is sent")
    decompressed_bytes_max: int = Field(
        default=4_194_304, ge=1, description="largest request body after decompression (Content-Encoding: gzip)"
    )
    json_depth_max: int = Field(
        default=100, ge=1, le=900, description="how deeply lists and objects may be nested in a request body"
    )
    json_members_max: int = Field(
        default=100_000, ge=1, description="members of objects and items of lists in a request body, in all"
    )
    headers_max: int = Field(default=100, ge=1, le=10_000, description="headers of a request")
    head_bytes_max: int = Field(
        default=65_536, ge=1024, le=16_777_216, description="bytes of a request's first line and headers together"
    )
    url_bytes_max: int = Field(default=16_384, ge=256, description="bytes of a request's path and query together")
    head_seconds: float = Field(
        default=10.0,
        gt=0,
        description="total seconds for the first line and headers of a request to arrive, and for a new connection to "
        "send anything, and for the handshake of TLS",
    )
    body_seconds: float = Field(
        default=30.0,
        gt=0,
        description="total seconds for a whole request to arrive, and for an answer to be read, beside those for their "
        "size",
    )
    body_bytes_a_second: int = Field(
        default=65_536,
        ge=1,
        description="for so many bytes of its body, a request may take a second longer to arrive",
    )
    connections_max: int = Field(
        default=10_000, ge=1, description="open connections of a process; less where the system allows fewer open files"
    )
    connections_per_address_max: int = Field(
        default=1_000,
        ge=1,
        description="open connections of a process from one address (of IPv6: one network of 64 bits); trusted proxies "
        "have no such limit",
    )
    pipelined_max: int = Field(
        default=32, ge=0, description="requests that may wait on a connection while another one of it is answered"
    )
    answer_bytes_max: int = Field(
        default=8_000_000,
        ge=1,
        description="about how many bytes an answer may have; a larger one is refused with 400. Exports are streamed, "
        "and have no such limit",
    )
    request_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="how many seconds an operation may take that declares no timeout; then it is undone, with 504",
    )
    shutdown_seconds: float = Field(
        default=30.0, ge=0, description="how many seconds requests in progress may take at shutdown"
    )
    shutdown_grace_seconds: float = Field(
        default=0.0,
        ge=0,
        le=300,
        description="how many seconds connections are still accepted at shutdown, after readiness has fallen: as long "
        "as the load balancer takes to notice",
    )
    redis_url: SecretStr | None = Field(
        default=None, description="redis://[user:password@]host[:port][/number], rediss:// for TLS; Redis or Valkey"
    )
    limit_store: Literal["auto", "process", "machine", "redis"] = Field(
        default="auto",
        description="where rate limits count: in each process, for all workers of this machine, or in Redis; auto is "
        "redis with STERNPOST_REDIS_URL, else machine with several workers, else process",
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default_factory=list[str],
        description="addresses and networks of the proxies before the service, separated by commas, such as "
        "10.0.0.0/8; unix for a socket of this machine. Only their headers say where a client calls from",
    )
    proxy_headers: Annotated[
        list[Literal["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"]], NoDecode
    ] = Field(
        default=["x-forwarded-for", "x-forwarded-proto"],
        description="the headers that every trusted proxy writes itself, whatever the client sent, separated by "
        "commas: some of x-forwarded-for, x-forwarded-proto and x-forwarded-host, or forwarded alone",
    )
    idempotency_wait_seconds: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="how many seconds a request waits for another one with the same Idempotency-Key, before it is "
        "answered with 409",
    )
    idempotency_hours: float = Field(
        default=24.0, gt=0, le=8760, description="for how many hours the answer of a request with a key is kept"
    )
    ops_host: str = Field(default="127.0.0.1", description="address of the ops port")
    ops_port: int = Field(
        default=9000, ge=0, le=65535, description="the ops port, open where STERNPOST_OPS_TOKEN is set; 0 picks one"
    )
    ops_token: SecretStr | None = Field(
        default=None, description="the bearer token of the ops port, at least 32 bytes; without it the port is closed"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="lowest level that is logged"
    )
    log_repeats_a_second: int = Field(
        default=20,
        ge=0,
        description="how many lines of one kind are logged in a second, of errors and of events; more are counted, and "
        "told by one line with `repeated`. 0 for all",
    )
    trace_statements: bool = Field(
        default=True,
        description="whether traces have spans of statements and of stores, too; traces are sent where OpenTelemetry's "
        "own variables name an endpoint",
    )
    docs: bool = Field(default=True, description="serve /docs and /openapi.json")

    _unknown_variables: dict[str, str | None] = PrivateAttr(default_factory=dict[str, str | None])
    _random_key: bytes = PrivateAttr(default_factory=lambda: secrets.token_bytes(32))

    @field_validator("cors_origins", "trusted_proxies", "proxy_headers", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_trusted_proxies(cls, value: list[str]) -> list[str]:
        for each in value:
            if each != UNIX:
                read_network(each)
        return value

    @field_validator("proxy_headers")
    @classmethod
    def _check_proxy_headers(cls, value: list[str]) -> list[str]:
        if "forwarded" in value and len(value) > 1:
            raise ValueError(
                "Name either forwarded or the x-forwarded headers: a proxy passes on as they came those that it does "
                "not write, and anybody can send them"
            )
        return value

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, value: str) -> str:
        return checked_root_path(value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings)

    @property
    def replica_urls(self) -> list[str]:
        """The addresses of `database_replica_urls`."""
        return self.database_replica_urls.get_secret_value().split() if self.database_replica_urls else []

    @property
    def unknown_variables(self) -> Mapping[str, str | None]:
        """Variables that begin as settings do and are none, each with the setting that it is nearest to."""
        return self._unknown_variables

    def weak_secrets(self) -> Iterator[tuple[str, str]]:
        """The variables of secrets that could be guessed, and why."""
        for name in ("jwt_secret", "secret_key", "ops_token"):
            value: SecretStr | None = getattr(self, name)
            weakness = secret_weakness(value.get_secret_value()) if value else None
            if weakness is not None:
                yield f"STERNPOST_{name.upper()}", weakness

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def keeps_secrets(self) -> bool:
        """Whether keys derived from the secret stay the same after a restart and in other processes."""
        return self.secret_key is not None or self.jwt_secret is not None

    def derived_key(self, purpose: str) -> bytes:
        """32 bytes for one purpose (HMAC-SHA256 of the secret key, RFC 2104), so that no two uses share a key.

        Without a secret key and a JWT secret it is random, so other processes cannot use what it signs.
        """
        secret = self.secret_key or self.jwt_secret
        root = secret.get_secret_value().encode() if secret else self._random_key
        return hmac.new(root, f"sternpost {purpose}".encode(), hashlib.sha256).digest()

    @cached_property
    def cors_enabled(self) -> bool:
        return bool(self.cors_origins)


def load_settings(
    environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None, serving: bool = True
) -> Settings:
    """Reads the settings from `environ` (default: the process's), with `dotenv` (a `.env` file) below it.

    In production, serving requires a key to verify tokens; commands that do not serve (`serving=False`) do not.

    Raises:
        StartupError: a value is missing, wrong, or unsafe in production; says which variable and what to set.
    """
    values = read_dotenv(dotenv) if dotenv is not None else {}
    values.update(os.environ if environ is None else environ)
    for name in SECRETS:
        _read_secret_file(values, name)
    fields = {
        name: values[variable] for name in Settings.model_fields if values.get(variable := f"STERNPOST_{name.upper()}")
    }
    try:
        settings = Settings.model_validate(fields)
    except ValidationError as error:
        raise StartupError(_explain(error)) from None
    _refuse_unsafe(settings, serving=serving)
    settings._unknown_variables.update(_unknown(values))  # pyright: ignore[reportPrivateUsage]
    return settings


def _unknown(values: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Variables that look like settings and are read by nobody. Their values are told to nobody: they may be secrets.
    An address of a container's link has the name of a port."""
    prefix = "STERNPOST_"
    settings = [*(name.upper() for name in Settings.model_fields), *(f"{name[len(prefix) :]}_FILE" for name in SECRETS)]
    for variable, value in values.items():
        name = variable.removeprefix(prefix)
        if not variable.startswith(prefix) or name in settings or variable in OTHER_VARIABLES:
            continue
        if _OF_PLATFORMS.fullmatch(variable) or (name.endswith("_PORT") and value.startswith(("tcp://", "udp://"))):
            continue
        nearest = difflib.get_close_matches(name.upper(), settings, n=1)
        yield variable, f"{prefix}{nearest[0]}" if nearest else None


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env` file; none where there is no such file."""
    from dotenv import dotenv_values

    if not path.is_file():
        return {}
    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except UnicodeDecodeError as error:
        raise StartupError(f"{path} cannot be read: {error}") from error


def _read_secret_file(values: dict[str, str], name: str) -> None:
    file = values.get(f"{name}_FILE")
    if not file:
        return
    if values.get(name):
        raise StartupError(f"{name} and {name}_FILE are both set. Set one of them.")
    try:
        values[name] = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StartupError(f"{name}_FILE names a file that cannot be read: {error.strerror}: {file}") from error


def _explain(error: ValidationError) -> str:
    lines = ["The settings are wrong:"]
    for problem in error.errors(include_input=False):
        variable = "STERNPOST_" + "_".join(str(part) for part in problem["loc"]).upper()
        lines.append(f"  {variable}: {problem['msg']}")
    return "\n".join(lines)


def _refuse_unsafe(settings: Settings, *, serving: bool) -> None:
    if settings.production:
        for name, weakness in settings.weak_secrets():
            raise StartupError(
                f"{name} is weak: {weakness}. Set it to at least 32 random bytes, "
                "for example the output of: openssl rand -hex 32"
            )
    if serving and settings.production and settings.jwt_secret is None and settings.jwt_jwks_url is None:
        raise StartupError(
            "STERNPOST_ENV=production requires a key to verify tokens. Set STERNPOST_JWT_SECRET to at least 32 random "
            "bytes (for example the output of: openssl rand -hex 32), or STERNPOST_JWT_JWKS_URL."
        )


def secret_weakness(secret: str) -> str | None:
    """Why a secret could be guessed, or None. A heuristic: length, and how many different characters it has."""
    if len(secret.encode()) < SECRET_BYTES_MIN:
        return f"it has {len(secret.encode())} bytes, fewer than {SECRET_BYTES_MIN}"
    if len(set(secret)) < 10:
        return "it consists of only a few different characters"
    lowered = secret.lower()
    for word in (
        "changeme",
        "change-me",
        "change_me",
        "secret-key",
        "password",
        "example",
        "development",
        "your-secret",
    ):
        if word in lowered:
            return f'it contains "{word}"'
    return None
