"""The README's contract serves what the README says: its curl commands are run, and their output is compared."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from tests.docs.pages import ROOT, Block, blocks
from tests.support.forks import run
from tests.support.server import environment, running

README = ROOT / "README.md"
SHOWN_PORT = "127.0.0.1:8000"

_ID = re.compile(r"\b[a-z]{2,8}_[0-9a-f]{32}\b")
_REQUEST_ID = re.compile(r"\breq_[0-9a-f]{16}\b")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")


def normalised(text: str) -> str:
    """The text without what differs from run to run: ids, request ids, instants."""
    return _INSTANT.sub("<instant>", _REQUEST_ID.sub("<request>", _ID.sub("<id>", text))).strip()


def calls() -> list[tuple[str, str]]:
    """Each curl command with the output that is shown below it."""
    shown = blocks(README, "sh", "json")
    pairs = list(zip(shown[::2], shown[1::2], strict=True))
    assert all((command.language, output.language) == ("sh", "json") for command, output in pairs)
    return [(command.code.strip(), output.code) for command, output in pairs]


def contract() -> Block:
    (found,) = blocks(README, "python")
    return found


def test_contract_is_short() -> None:
    declared = [
        line for line in contract().code.splitlines() if line.strip() and not line.startswith(("from ", "import "))
    ]
    assert 8 <= len(declared) <= 14


def test_shows_three_calls() -> None:
    assert len(calls()) == 3
    assert all(command.startswith("curl ") and SHOWN_PORT in command for command, _ in calls())


def test_calls_print_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "tickets.py").write_text(contract().code, encoding="utf-8")
    env = environment(STERNPOST_DATABASE_URL=f"sqlite:///{tmp_path / 'readme.sqlite'}", STERNPOST_PORT="0")
    token = _command(env, tmp_path, "token", "--sub", "ada", "--scope", "tickets:close").strip()
    made: list[str] = []
    with running(["-m", "sternpost", "serve", "tickets:app", "--create-schema"], env, tmp_path) as server:
        for command, shown in calls():
            sent = command.replace(SHOWN_PORT, f"127.0.0.1:{server.port}")
            sent = _ID.sub(made[0], sent) if made else sent
            printed = _run(sent, {**env, "TOKEN": token})
            made += [] if made else _ID.findall(printed)
            assert json.loads(printed)
            assert normalised(printed) == normalised(shown)
        # "Without the token it is 401, without the scope 403, and a second time 409"
        address = f"/api/v1/tickets/{made[0]}/close"
        other = _command(env, tmp_path, "token", "--sub", "bob").strip()
        assert [server.request("POST", address, token=sent)[0] for sent in (None, other, token)] == [401, 403, 409]
        assert server.stop() == 0


def test_the_command_that_serves_is_the_one_that_is_tested() -> None:
    console = "\n".join(block.code for block in blocks(README, "console"))
    assert "sternpost serve tickets:app --create-schema" in console
    assert "sternpost token --sub ada --scope tickets:close" in console


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def _command(env: dict[str, str], folder: Path, *arguments: str) -> str:
    done = run(arguments, folder, env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(command: str, env: dict[str, str]) -> str:
    """What a curl command prints; without curl the same request is sent by hand."""
    if shutil.which("curl"):
        local = {**env, "no_proxy": "*", "NO_PROXY": "*"}
        return subprocess.run(["sh", "-c", command], env=local, capture_output=True, text=True, check=True).stdout
    return _by_hand(shlex.split(os.path.expandvars(command.replace("$TOKEN", env["TOKEN"]))))


def _by_hand(words: list[str]) -> str:
    method, url, headers, body = None, "", {}, None
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest).encode()
        elif word.startswith("http"):
            url = word
    request = urllib.request.Request(url, data=body, headers=headers, method=method or ("POST" if body else "GET"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
