"""Settings: where values come from, which of two wins, and what is refused, in production above all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sternpost.errors import StartupError
from sternpost.settings import OTHER_VARIABLES, SECRETS, Settings, load_settings, secret_weakness

STRONG = "0123456789abcdefghijklmnopqrstuv"
"""32 bytes, as few as a secret may have."""


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text('STERNPOST_PORT=8001\nSTERNPOST_HOST="127.0.0.2"\nOTHER=1\n')
    found = load_settings({"STERNPOST_PORT": "8002"}, dotenv=file)
    assert (found.port, found.host) == (8002, "127.0.0.2")
    assert load_settings({}, dotenv=tmp_path / "none").port == Settings().port


def test_an_empty_variable_is_as_if_it_were_not_set() -> None:
    assert load_settings({"STERNPOST_PORT": ""}).port == Settings().port


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_stand_in_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    value = f"sqlite:///{tmp_path}/x.sqlite" if "URL" in name else STRONG
    file.write_text(f"{value}\n")
    found = getattr(load_settings({f"{name}_FILE": str(file)}), name.removeprefix("STERNPOST_").lower())
    assert (found.get_secret_value() if hasattr(found, "get_secret_value") else str(found)) == value
    with pytest.raises(StartupError, match=f"{name} and {name}_FILE are both set"):
        load_settings({name: value, f"{name}_FILE": str(file)})
    with pytest.raises(StartupError, match=f"{name}_FILE names a file that cannot be read"):
        load_settings({f"{name}_FILE": str(tmp_path / "none")})


def test_a_wrong_value_is_named_and_not_shown() -> None:
    with pytest.raises(StartupError) as caught:
        load_settings({"STERNPOST_PORT": "eighty-one", "STERNPOST_WORKERS": "-7"})
    assert "STERNPOST_PORT" in str(caught.value)
    assert "STERNPOST_WORKERS" in str(caught.value)
    assert "eighty-one" not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (STRONG, None),
        (STRONG[:-1], "31 bytes"),
        ("é" * 16 + STRONG[:16], None),
        ("é" * 15 + "a", "31 bytes"),
        ("abcdefghi" * 4, "few different characters"),
        ("abcdefghij" * 4, None),
        (f"{STRONG}changeme", "changeme"),
        (f"{STRONG}PassWord", "password"),
        (f"my-example-{STRONG}", "example"),
    ],
)
def test_secrets_that_could_be_guessed(secret: str, reason: str | None) -> None:
    found = secret_weakness(secret)
    assert (found is None) if reason is None else (reason in str(found))


PRODUCTION = {"STERNPOST_ENV": "production"}


@pytest.mark.parametrize("name", ["STERNPOST_JWT_SECRET", "STERNPOST_SECRET_KEY", "STERNPOST_OPS_TOKEN"])
def test_production_takes_no_weak_secret(name: str) -> None:
    both = {"STERNPOST_JWT_SECRET": STRONG, "STERNPOST_SECRET_KEY": STRONG}
    assert load_settings({**PRODUCTION, **both}).production
    with pytest.raises(StartupError, match=f"{name} is weak"):
        load_settings({**PRODUCTION, **both, name: "short"})
    with pytest.raises(StartupError, match=f"{name} is weak"):
        load_settings({**PRODUCTION, **both, name: "short"}, serving=False)
    found = load_settings({**both, name: "short"})
    assert not found.production
    assert list(found.weak_secrets()) == [(name, "it has 5 bytes, fewer than 32")]


def test_a_variable_that_is_no_setting_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("STERNPOST_WORKRES=2\nOTHER=1\n")
    given = {
        "STERNPOST_DATABASE": "s3cret",
        "STERNPOST_PORT_FILE": "x",
        "STERNPOST_QQ": "x",
        "STERNPOST_JWT_SECRET_FLIE": "x",
        "STERNPOST_port": "1",
    }
    found = load_settings(given, dotenv=file).unknown_variables
    assert found == {
        "STERNPOST_WORKRES": "STERNPOST_WORKERS",
        "STERNPOST_DATABASE": "STERNPOST_DATABASE_URL",
        "STERNPOST_PORT_FILE": "STERNPOST_PORT",
        "STERNPOST_QQ": None,
        "STERNPOST_JWT_SECRET_FLIE": "STERNPOST_JWT_SECRET_FILE",
        "STERNPOST_port": "STERNPOST_PORT",
    }


def test_what_others_read_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(STRONG)
    links = {
        "STERNPOST_SERVICE_HOST": "10.0.0.1",
        "STERNPOST_SHOP_SERVICE_PORT_HTTP": "80",
        "STERNPOST_SHOP_PORT": "tcp://10.0.0.1:80",
        "STERNPOST_SHOP_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    settings = {f"STERNPOST_{name.upper()}": "" for name in Settings.model_fields}
    files = {f"{name}_FILE": str(file) for name in SECRETS if "URL" not in name}
    found = load_settings({**settings, **files, **dict.fromkeys(OTHER_VARIABLES, "x"), **links, "OTHER": "x"})
    assert found.unknown_variables == {}


def test_each_variable_that_the_code_reads_is_known() -> None:
    """One that is added has to stand in `OTHER_VARIABLES`, so that a service does not call it a mistake."""
    read = re.compile(r"""(?:environ(?:\.get\(|\[)|envvar=|^[A-Z_]+ = )"(STERNPOST_[A-Z_]*[A-Z])\"""", re.MULTILINE)
    root = Path(__file__).parents[2]
    files = (file for part in ("src", "tests", "benchmarks") for file in (root / part).rglob("*.py"))
    found = {name for file in files for name in read.findall(file.read_text(encoding="utf-8"))}
    settings = {f"STERNPOST_{name.upper()}" for name in Settings.model_fields}
    assert len(found - settings) > 5
    assert found - settings - OTHER_VARIABLES == set()


def test_production_serves_only_where_tokens_can_be_verified() -> None:
    with pytest.raises(StartupError, match="requires a key to verify tokens"):
        load_settings(PRODUCTION)
    assert load_settings(PRODUCTION, serving=False).production
    assert load_settings({**PRODUCTION, "STERNPOST_JWT_JWKS_URL": "https://keys.test/jwks.json"}).production
    assert load_settings({**PRODUCTION, "STERNPOST_JWT_SECRET": STRONG}).production


def test_keys_are_derived_from_the_one_secret_for_each_purpose() -> None:
    one = load_settings({"STERNPOST_SECRET_KEY": STRONG})
    both = load_settings({"STERNPOST_SECRET_KEY": STRONG, "STERNPOST_JWT_SECRET": STRONG[::-1]})
    other = load_settings({"STERNPOST_JWT_SECRET": STRONG[::-1]})
    assert one.derived_key("ids") == both.derived_key("ids") != other.derived_key("ids")
    assert one.derived_key("ids") != one.derived_key("cursors")
    assert len(one.derived_key("ids")) == 32


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/shop", "/shop"), ("/a/b.c", "/a/b.c"), ("", ""), ("shop", None), ("/sh op", None), ("/a//b", None)],
)
def test_a_root_path_is_a_path(path: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(StartupError, match="STERNPOST_ROOT_PATH"):
            load_settings({"STERNPOST_ROOT_PATH": path})
    else:
        assert load_settings({"STERNPOST_ROOT_PATH": path}).root_path == kept


def test_origins_are_listed_with_commas() -> None:
    assert load_settings({"STERNPOST_CORS_ORIGINS": "https://a.test, https://b.test"}).cors_origins == [
        "https://a.test",
        "https://b.test",
    ]


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/8, all"])
def test_who_cannot_be_trusted_is_refused(value: str) -> None:
    with pytest.raises(StartupError, match="STERNPOST_TRUSTED_PROXIES: "):
        load_settings({"STERNPOST_TRUSTED_PROXIES": value})
    found = load_settings({"STERNPOST_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1,fd00::/8,unix"})
    assert found.trusted_proxies == ["10.0.0.0/8", "192.0.2.1", "fd00::/8", "unix"]


def test_a_proxy_writes_one_kind_of_headers() -> None:
    assert load_settings({"STERNPOST_PROXY_HEADERS": "forwarded"}).proxy_headers == ["forwarded"]
    for value in ("forwarded,x-forwarded-for", "via"):
        with pytest.raises(StartupError, match="STERNPOST_PROXY_HEADERS"):
            load_settings({"STERNPOST_PROXY_HEADERS": value})
