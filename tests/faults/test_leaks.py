"""Secrets that clients send, and those of the service itself, by every way there is: none of them is told by a log line,
a metric, a span, a log record by OTLP, an audit line or the answer to an error, of a real process.

`tests/security/test_sensitive.py` proves the same of fields of every kind, in the process of the test. Here everything
that leaves a served process is collected, with the author's own spans and errors.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sternpost import __version__
from sternpost.auth.jwt import make_token
from tests.process.test_metrics import scrape
from tests.support.measured import OPS_TOKEN
from tests.support.otlp import Receiver, http_receiver
from tests.support.server import SECRET, Process, environment, serving

APP = "tests.faults.leaking_service:app"
PEOPLE = "/api/v1/people"
PASSWORD, CARD, EMAIL = "hush-password-4711", "4111111111114711", "hush-mail@secret.example"
COOKIE, KEY, BAGGAGE, BROWSER = "hush-cookie-4711", "hush-key-4711", "hush-baggage-4711", "hush-browser-4711"
DATABASE_PASSWORD = "hush-database-4711"

INSIDE = re.compile(
    r"Traceback|site-packages|\.py\b|sqlite|asyncpg|postgres|SELECT |INSERT |UPDATE |/home/|/usr/|/tmp/|/dev/shm"
    rf"|sternpost.?{re.escape(__version__)}|python.?3|uvicorn",
    re.IGNORECASE,
)
"""What no answer to an error may show: SQL, paths, stacks, versions."""


def token() -> str:
    now = int(time.time())
    return make_token(SECRET, subject="usr_ada", scopes=["people:read"], issued=now, expires=now + 600)


@dataclass(frozen=True)
class Sent:
    """A request with secrets in it."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


def requests(person: str, bearer: str) -> Iterator[Sent]:
    """Each place that a client can write to."""
    forged = bearer[:-4] + "AAAA"
    quoted = urllib.parse.quote(EMAIL)
    for how in ("value", "cause", "conflict", "statement"):
        yield Sent("POST", f"{PEOPLE}/login", {"how": how, "password": PASSWORD})
    yield Sent("PATCH", f"{PEOPLE}/{person}", {"password": PASSWORD + "-2", "card": CARD})
    yield Sent("PATCH", f"{PEOPLE}/{person}", {"password": PASSWORD * 9, "card": CARD * 9, "email": PASSWORD})
    yield Sent("POST", PEOPLE, {"name": "Bob", "email": EMAIL, "password": PASSWORD})  # it is taken
    yield Sent("POST", PEOPLE, {"name": "Bob", "email": EMAIL, "password": {PASSWORD: CARD}})
    yield Sent("POST", PEOPLE, {"name": "Bob", "password": [PASSWORD], "card": 4711})
    yield Sent("POST", f"{PEOPLE}/login", {"how": PASSWORD * 1_000, "password": None})
    step = {"operation": "people.login", "body": {"how": "value", "password": PASSWORD}}
    yield Sent("POST", "/api/v1/$batch", {"operations": [step, step]})
    for query in (
        f"card={CARD}",
        f"card[gt]={CARD}",
        f"email={quoted}",
        f"email[x]={quoted}",
        f"access_token={bearer}",
    ):
        yield Sent("GET", f"{PEOPLE}?{query}", headers={"authorization": f"Bearer {bearer}"})
    yield Sent("GET", f"{PEOPLE}?token={bearer}&password={PASSWORD}&api_key={KEY}")
    for path in (f"{PEOPLE}/{EMAIL}", f"{PEOPLE}/{quoted}", f"/{EMAIL}/x", f"/users/{quoted}"):
        yield Sent("GET", path)
    for value in (f"Bearer {forged}", f"Bearer {PASSWORD}", f"Basic {PASSWORD}", PASSWORD, f"Bearer spk_{KEY}"):
        yield Sent("GET", PEOPLE, headers={"authorization": value})
    for name, value in (
        ("cookie", f"session={COOKIE}"),
        ("x-api-key", KEY),
        ("user-agent", BROWSER),
        ("referer", f"https://example.com/?password={PASSWORD}"),
        ("idempotency-key", f'"{KEY}"'),
        ("if-match", f'"{KEY}"'),
        ("accept", f"text/{KEY}"),
        ("content-encoding", KEY),
        ("x-request-id", KEY),
        ("x-forwarded-for", KEY),
        ("traceparent", KEY),
        ("origin", f"https://{KEY}.example"),
        ("baggage", f"session={BAGGAGE},user={EMAIL}"),
    ):
        yield Sent("PATCH", f"{PEOPLE}/{person}", {"name": "Eve"}, {name: value})
        yield Sent("POST", f"{PEOPLE}/login", {"how": "value", "password": PASSWORD}, {name: value})


@dataclass
class Told:
    """All that left the process, but the answers that were asked for."""

    texts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Where, and what."""

    def leaks(self, secrets: tuple[str, ...]) -> list[str]:
        return [
            f"{where}: {secret} in {text[:400]}" for where, text in self.texts for secret in secrets if secret in text
        ]

    def of(self, where: str) -> list[str]:
        return [text for place, text in self.texts if place == where]


def told_after(folder: Path, url: str, receiver: Receiver, plant: str = "") -> tuple[Told, tuple[str, ...]]:
    """Sends all of it to a service of its own, and collects what leaves it; with the secrets that must not."""
    env = receiver.environment(
        STERNPOST_DATABASE_URL=url,
        STERNPOST_OPS_TOKEN=OPS_TOKEN,
        STERNPOST_OPS_PORT="0",
        STERNPOST_LOG_LEVEL="debug",
        STERNPOST_LOG_REPEATS_A_SECOND="0",
        FAULTS_PLANT=plant,
    )
    bearer, told = token(), Told()
    with serving(APP, folder, fresh=True, **env) as server:
        person = {"name": "Ada", "email": EMAIL, "password": PASSWORD, "card": CARD}
        status, made = server.request("POST", PEOPLE, person)
        assert status == 201, made
        sent = list(requests(made["data"]["id"], bearer))
        for each in sent:
            status, content = ask(server, each)
            if status >= 400:
                told.texts.append(("answer", content))
        read_metrics(server, told)
        receiver.wait(lambda: len([span for span in receiver.spans if span.kind == 2]) >= len(sent))
        receiver.wait(lambda: receiver.metrics)
        assert server.stop() == 0
        told.texts += [("log", line) for line in server.lines]
    told.texts += [("span", str(span)) for span in receiver.spans]
    told.texts += [("record", str(line)) for line in receiver.lines]
    told.texts += [("metric by OTLP", f"{metric} {resource}") for metric, resource in receiver.metrics]
    told.texts += [("audit", line) for line in audited(folder, url).splitlines()]
    own = SECRET, OPS_TOKEN, DATABASE_PASSWORD, bearer, bearer.rpartition(".")[2]
    return told, (PASSWORD, CARD, EMAIL, COOKIE, KEY, BAGGAGE, BROWSER, *own)


def ask(server: Process, sent: Sent) -> tuple[int, str]:
    headers = sent.headers if sent.body is None else {"content-type": "application/json", **sent.headers}
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request(sent.method, sent.path, None if sent.body is None else json.dumps(sent.body), headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        return answer.status, f"{answer.getheaders()} {content}"


def read_metrics(server: Process, told: Told) -> None:
    status, text = scrape(server)
    assert status == 200
    told.texts += [("metric", line) for line in text.splitlines()]


def audited(folder: Path, url: str) -> str:
    command = [sys.executable, "-m", "sternpost", "audit", "show", "--json", "--app", APP]
    env = environment(STERNPOST_DATABASE_URL=url)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def with_password(url: str) -> str:
    """The address of a database with a password, which a server that trusts this machine does not look at."""
    return url if url.startswith("sqlite:") else re.sub(r"//([^:@/]+)(:[^@]*)?@", rf"//\1:{DATABASE_PASSWORD}@", url)


def test_nothing_that_leaves_the_process_tells_a_secret(tmp_path: Path, database_url: str) -> None:
    with http_receiver() as receiver:
        told, secrets = told_after(tmp_path, with_password(database_url), receiver)
    leaks = told.leaks(secrets)
    assert not leaks, "\n".join(leaks[:20])
    counted = {where: len(told.of(where)) for where, _ in told.texts}
    print(counted)
    assert counted.keys() == {"answer", "log", "span", "record", "metric", "metric by OTLP", "audit"}
    assert counted["span"] >= 50
    assert any("leaking_service.py" in line for line in told.of("log")), "where it failed is told all the same"
    shown = [(found[0], text) for text in told.of("answer") if (found := INSIDE.search(text))]
    assert not shown, shown[:3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "places"),
    [
        ("masks_nothing", {"log", "span", "record"}),
        ("tells_messages", {"log", "record"}),
        ("answers_with_causes", {"answer"}),
        ("addresses_as_they_are", {"log", "span", "record"}),
    ],
)
def test_what_tells_a_secret_is_found(tmp_path: Path, plant: str, places: set[str]) -> None:
    """The control."""
    with http_receiver() as receiver:
        told, secrets = told_after(tmp_path, f"sqlite:///{tmp_path / 'people.sqlite'}", receiver, plant)
    assert places <= {leak.split(":")[0] for leak in told.leaks(secrets)}


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://somebody:{DATABASE_PASSWORD}@127.0.0.1:1/nothing"
    command = [sys.executable, "-m", "sternpost", "serve", APP, "--create-schema"]
    env = environment(STERNPOST_DATABASE_URL=url, STERNPOST_PORT="0")
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    assert printed.strip()
    for secret in (DATABASE_PASSWORD, SECRET):
        assert secret not in printed
