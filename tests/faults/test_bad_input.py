"""Input that nobody means well: each is refused with a 4xx in bounded time and memory, and never reaches the database.

What is refused for which reason is proved in `tests/rest` and `tests/unit/protocols`. Here it is what a served process
does with all of it: its memory, its log, its database, and another caller meanwhile. Slow clients are the subject of
other files.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from shop.app import app as shop

from sternpost.auth.jwt import make_token
from sternpost.derive.emit import emitted_files
from tests.faults.canary import Canary
from tests.faults.seeds import new_seed
from tests.support.server import SECRET, Process, serving

V1 = "/api/v1"
BODY_MAX = 1_048_576
SECONDS_MAX = 5.0
"""For one request, on a machine that is busy with other tests."""

GROWTH_BYTES_MAX = 48 * 2**20
"""How much more memory the process may have held at its highest point. A body of the largest size that is read takes
4 MiB decompressed, and a few times that as objects."""

BOMB_BYTES = 256 * 2**20
TRACES = re.compile(r"Traceback|\.py\b|sqlite3?\b|asyncpg|SELECT |INSERT ", re.IGNORECASE)
"""What no answer may show."""


@dataclass(frozen=True)
class Sent:
    """A request that is to be refused.

    Attributes:
        statuses: those that it may be answered with.
    """

    name: str
    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    statuses: range = range(400, 500)


def of_json(name: str, body: bytes, path: str = "/users", **headers: str) -> Sent:
    named = {"content-type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
    return Sent(name, "POST", V1 + path, body, named)


def user(more: bytes = b"", name: bytes = b'"Ada"') -> bytes:
    """The body of a new user, that would be valid by itself."""
    return b'{"name": %s, "email": "bad-input@shop.example"%s}' % (name, more)


def product(number: bytes) -> bytes:
    return b'{"sku": "BAD-1", "name": "Bad", "priceCents": %s}' % number


def bodies() -> Iterator[Sent]:
    for brackets in (b"[]", b"{}"):
        opened = b"[" if brackets == b"[]" else b'{"a":'
        yield of_json(f"depth 10,000 of {brackets}", user(b', "x": ' + opened * 10_000 + b"1" + brackets[1:] * 10_000))
    yield of_json("depth 10,000, never closed", b"[" * 10_000)
    million = b"{" + b",".join(b'"m%d":0' % number for number in range(1_000_000)) + b"}"
    yield of_json("1,000,000 members", million)
    yield of_json("1,000,000 members, compressed", gzip.compress(million, 1), content_encoding="gzip")
    yield of_json("500,000 items", b"[" + b"0," * 500_000 + b"0]")
    yield of_json("500,000 items, compressed", gzip.compress(b"[" + b"0," * 500_000 + b"0]"), content_encoding="gzip")
    yield of_json("members of one name", user(b', "name": "Bob"'))
    yield of_json("members of one name, one escaped", user(b', "n\\u0061me": "Bob"'))
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1" + b"0" * 400, b"1e400", b"-1e400", b"1.5", b"0x10", b"01"):
        yield of_json(f"the number {number[:12]!r}", product(number), "/products")
    yield of_json("a lone surrogate, escaped", user(name=b'"\\ud800"'))
    yield of_json("surrogates in the wrong order", user(name=b'"\\udc00\\ud800"'))
    yield of_json("a surrogate in UTF-8", user(name=b'"\xed\xa0\x80"'))
    yield of_json("overlong UTF-8", user(name=b'"\xc0\xae"'))
    yield of_json("NUL, escaped", user(name=b'"a\\u0000b"'))
    yield of_json("NUL", user(name=b'"a\x00b"'))
    yield of_json("NUL in a member's name", user(b', "a\\u0000": 1'))
    yield of_json("a byte order mark", b"\xef\xbb\xbf" + user())
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield of_json(encoding, user().decode().encode(encoding))
    yield of_json(
        "UTF-16, which says so", user().decode().encode("utf-16"), content_type="application/json; charset=utf-16"
    )
    yield of_json("a gzip bomb", gzip.compress(bytes(BOMB_BYTES), 9), content_encoding="gzip")
    yield of_json("a gzip bomb of JSON", gzip.compress(user(b"," + b" " * BOMB_BYTES), 9), content_encoding="gzip")
    twice = gzip.compress(gzip.compress(bytes(BOMB_BYTES), 9))
    yield of_json("a gzip bomb in gzip", twice, content_encoding="gzip, gzip")
    yield of_json("1,000 pieces of gzip", gzip.compress(b" ") * 1_000, content_encoding="gzip")
    yield of_json("half of a gzip", gzip.compress(user())[:-9], content_encoding="gzip")
    yield of_json("no gzip at all", user(), content_encoding="gzip")
    yield of_json("an encoding that is not known", user(), content_encoding="br")
    yield of_json("two values", user() + user())
    yield of_json("nothing", b"")
    yield of_json("a number for a body", b"1")
    yield of_json("no JSON", user(), content_type="text/plain")
    yield of_json("a body above the limit", user() + b" " * (BODY_MAX + 1 - len(user())))
    yield of_json(
        "10,000 steps", json.dumps({"operations": [{"operation": "products.browse"}] * 10_000}).encode(), "/$batch"
    )


def paths() -> Iterator[Sent]:
    for path in (
        "/products/%2e%2e/users",
        "/products/..%2fusers",
        "/products/../users",
        "/products/%2e",
        "/products/%252e%252e/users",
        "//products",
        "/products/",
        "/products//",
        "/products;a=b",
        "/products/;/x",
        "/products%3ba=b",
        "/products/%c0%ae%c0%ae/users",
        "/%c0%af",
        "/products/%e0%80%ae",
        "/products/prd_%00",
        "/products%00",
        "/products/prd_" + "0" * 32 + "%00",
        "/products/%ff%fe",
        "/products/%",
        "/products/%zz",
        "/products\\..\\users",
        "/products/%5c..%5cusers",
        "/products/" + "a" * 10_000,
        "/products/" + "a/" * 5_000,
        "/products/%0d%0aSet-Cookie:%20a=b",
        "/$batch%00",
        "/%24batch/x",
    ):
        yield Sent(f"the path {path[:40]}", "GET", V1 + path)
    for path in ("//api/v1/products", "/api//v1/products", "/API/v1/products", "/./api/v1/products", "/a" * 10_000):
        yield Sent(f"the path {path[:40]}", "GET", path)
    for path in (
        "..%2f..%2fdocs.py",
        "%2e%2e/docs.py",
        "....//docs.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "start.js%00",
    ):
        yield Sent(f"the file {path}", "GET", f"/docs/assets/{path}")


def parameters() -> Iterator[Sent]:
    """Each parameter of each list as an array, as an object, and huge; as it is described in OpenAPI."""
    document: Any = json.loads(emitted_files(shop.compiled)["openapi.json"])
    for path in ("users", "products", "orders"):
        for each in document["paths"][f"{V1}/{path}"]["get"]["parameters"]:
            if each["in"] != "query":
                continue
            name = each["name"]
            listed = f"{V1}/{path}?{name}"
            yield Sent(f"{path}?{name} as an array", "GET", f"{listed}[]=a&{name}[]=b")
            yield Sent(f"{path}?{name} with an index", "GET", f"{listed}[0]=a")
            yield Sent(f"{path}?{name} as an object", "GET", f"{listed}[a][b]=c")
            yield Sent(f"{path}?{name} unknown", "GET", f"{listed}[$where]=1")
            yield Sent(f"{path}?{name} with NUL", "GET", f"{listed}=%00")
            yield Sent(f"{path}?{name} of no UTF-8", "GET", f"{listed}=%ff%fe")
            yield Sent(f"{path}?{name} too long", "GET", f"{listed}={'9' * 20_000}")
            statuses = range(200, 500) if is_text(each) else range(400, 500)
            for value in (
                "%5B1,2%5D",
                "%7B%22a%22:1%7D",
                "9" * 10_000,
                "-" + "9" * 400,
                "1e400",
                ",".join(["a"] * 5_000),
            ):
                yield Sent(f"{path}?{name}={value[:20]}", "GET", f"{listed}={value}", statuses=statuses)
    yield Sent("1,000 parameters", "GET", f"{V1}/products?" + "&".join(f"a{n}=1" for n in range(1_000)))
    yield Sent("a parameter 1,000 times", "GET", f"{V1}/products?" + "name=a&" * 1_000)


def is_text(parameter: Any) -> bool:
    """Whether any text is one of its values, such as a filter of a name: what is no such name finds nothing."""
    schema = parameter["schema"]
    several = schema.get("items", schema)
    without_nul = several.get("pattern") == r"^[^\u0000]*$"
    return several.get("type") == "string" and without_nul and "enum" not in several


@dataclass
class Found:
    """What an attack has come to."""

    problems: list[str] = field(default_factory=list[str])
    asked: int = 0
    slowest: tuple[float, str] = (0.0, "")
    grown_bytes: int = 0

    def require_none(self) -> None:
        assert not self.problems, "\n".join(self.problems[:20])


class Attack:
    """Sends what is bad, one after the other, and looks at the answers, the log and the memory."""

    def __init__(self, server: Process) -> None:
        self.server = server
        self.found = Found()
        now = int(time.time())
        scopes = ["users:admin", "orders:admin", "products:write"]
        token = make_token(SECRET, subject="attacker", scopes=scopes, issued=now, expires=now + 600)
        self.authorization = {"authorization": f"Bearer {token}"}

    def carry_out(self, sent: list[Sent]) -> Found:
        self.ask("GET", f"{V1}/products", None, {})  # what is made once is made now
        before, rows = self.memory("VmRSS"), self.rows()
        Path(f"/proc/{self.server.process.pid}/clear_refs").write_text("5")  # the highest point is from now on
        for each in sent:
            self.try_out(each)
        self.found.grown_bytes = self.memory("VmHWM") - before
        if self.found.grown_bytes > GROWTH_BYTES_MAX:
            self.problems.append(f"memory: it held {self.found.grown_bytes / 2**20:.0f} MiB more")
        if self.rows() != rows:
            self.problems.append(f"rows: {rows} have become {self.rows()}")
        if self.server.process.poll() is not None:
            self.problems.append("process: it has ended")
        self.look_at_the_log()
        slowest, what = self.found.slowest
        print(
            f"{self.found.asked} requests, slowest {slowest * 1000:.0f} ms ({what}), "
            f"{self.found.grown_bytes / 2**20:.1f} MiB more"
        )
        return self.found

    @property
    def problems(self) -> list[str]:
        return self.found.problems

    def try_out(self, sent: Sent) -> None:
        started = time.monotonic()
        status, content = self.ask(sent.method, sent.path, sent.body, {**self.authorization, **sent.headers})
        took = time.monotonic() - started
        self.found.asked += 1
        self.found.slowest = max(self.found.slowest, (took, sent.name))
        if status not in sent.statuses:
            self.problems.append(f"status: {sent.name}: {status} {content[:200]!r}")
        if took > SECONDS_MAX:
            self.problems.append(f"time: {sent.name}: {took:.1f} s")
        if status >= 400:
            shown = TRACES.search(content.decode(errors="replace").replace(sent.path, ""))
            if shown:
                self.problems.append(f"shown: {sent.name}: {shown[0]!r} in {content[:300]!r}")

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=2 * SECONDS_MAX)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers)  # it may be refused before all of it is sent
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error).encode()
        finally:
            connection.close()

    def memory(self, name: str) -> int:
        status = Path(f"/proc/{self.server.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{name}:\s*(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def rows(self) -> list[int]:
        counted: list[int] = []
        for path in ("users", "products", "orders"):
            status, content = self.ask("GET", f"{V1}/{path}?pageSize=1", None, self.authorization)
            assert status == 200, content
            counted.append(json.loads(content)["meta"]["totalCount"])
        return counted

    def look_at_the_log(self) -> None:
        """Every request that was refused has its line, with the number of its statements."""
        self.server.wait_for('"message":"Ready"')
        for line in list(self.server.lines):
            if "Traceback" in line or '"level":"error"' in line:
                self.problems.append(f"log: {line[:300]}")
            if line.startswith("{") and '"statements":' in line:
                told = json.loads(line)
                if told["status"] >= 400 and told["statements"]:
                    self.problems.append(f"database: {told['path'][:80]}: {told['statements']} statements")


def attacked(folder: Path, sent: list[Sent], plant: str = "", **env: str) -> Found:
    """The shop under these requests, in an order at random; `plant` as in `tests/faults/planted_shop.py`."""
    random.Random(new_seed()).shuffle(sent)
    app = "tests.faults.planted_shop:app" if plant else "shop.app:app"
    with serving(app, folder, STERNPOST_LOG_REPEATS_A_SECOND="0", FAULTS_PLANT=plant, **env) as server:
        with Canary(server.port, f"{V1}/products?pageSize=1") as canary:
            found = Attack(server).carry_out(sent)
            while len(canary.latencies_ms) < 5:
                time.sleep(0.05)
        if not plant:
            canary.require_unharmed()
        assert server.stop() == 0
    return found


@pytest.mark.parametrize("kind", [bodies, paths, parameters], ids=["bodies", "paths", "parameters"])
def test_what_is_bad_is_refused_and_reaches_nothing(tmp_path: Path, database_url: str, kind: Any) -> None:
    attacked(tmp_path, list(kind()), STERNPOST_DATABASE_URL=database_url).require_none()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "kind", "problem"),
    [
        ("decompresses_all", bodies, "memory"),
        ("checks_no_json", bodies, "rows"),
        ("stumbles_over_brackets", parameters, "status"),
        ("stumbles_over_brackets", parameters, "log"),
    ],
)
def test_a_reader_that_is_less_careful_is_found(tmp_path: Path, plant: str, kind: Any, problem: str) -> None:
    """The control."""
    found = attacked(tmp_path, list(kind()), plant)
    assert problem in {each.split(":")[0] for each in found.problems}, found.problems


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_of_the_limit_is_the_largest_that_is_read(tmp_path: Path, database_url: str, chunked: bool) -> None:
    with serving("shop.app:app", tmp_path, STERNPOST_DATABASE_URL=database_url) as server:
        for size, expected in ((BODY_MAX - 1, 201), (BODY_MAX, 201), (BODY_MAX + 1, 413)):
            body = json.dumps({"name": "Ada", "email": f"ada{size}@shop.example"}).encode().ljust(size)
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            sent = iter([body[: size // 2], body[size // 2 :]]) if chunked else body
            connection.request(
                "POST", f"{V1}/users", sent, {"content-type": "application/json"}, encode_chunked=chunked
            )
            answer = connection.getresponse()
            content = json.loads(answer.read())
            connection.close()
            assert answer.status == expected, content
            if expected == 413:
                assert content["error"]["code"] == "PAYLOAD_TOO_LARGE"
        token = make_token(SECRET, subject="admin", scopes=["users:admin"], issued=0, expires=4_000_000_000)
        _, listed = server.request("GET", f"{V1}/users?pageSize=1", token=token)
        assert listed["meta"]["totalCount"] == 2, "the one that is too large has made nothing"
