"""Real proxies before a real service: nginx and haproxy, one alone and one behind the other."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import not_run
from tests.support.postgres import free_port
from tests.support.server import serving

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{target};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
}}
"""

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    server one 127.0.0.1:{target}
"""


@contextmanager
def nginx(folder: Path, target: int) -> Iterator[int]:
    port, file = free_port(), folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, port=port, target=target), encoding="utf-8")
    with proxy("nginx", ["-c", str(file), "-e", "stderr"], port):
        yield port


@contextmanager
def haproxy(folder: Path, target: int) -> Iterator[int]:
    port, file = free_port(), folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(port=port, target=target), encoding="utf-8")
    with proxy("haproxy", ["-db", "-f", str(file)], port):
        yield port


@contextmanager
def proxy(name: str, arguments: list[str], port: int) -> Iterator[None]:
    program = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        not_run(f"behind {name}", f"{name} is not installed")
        return
    process = subprocess.Popen([program, *arguments], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < deadline, f"{name} does not listen"
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(20)
        assert process.stderr is not None
        process.stderr.close()


CLIENT = "127.0.0.2"
"""Where clients call from: another address of this machine than that of the proxies."""


def ask(port: int, headers: dict[str, str]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(CLIENT, 0))
    connection.request("GET", "/mounted/", headers={"Host": "shop.example", **headers})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200, content
    return json.loads(content)


TRUSTING = {
    "STERNPOST_TRUSTED_PROXIES": "127.0.0.1",
    "STERNPOST_PROXY_HEADERS": "x-forwarded-for,x-forwarded-proto,x-forwarded-host",
}
SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "for=6.6.6.6;proto=https;host=evil.example",
}


@pytest.mark.parametrize("kind", [nginx, haproxy])
def test_a_client_behind_a_proxy_is_whom_the_proxy_names(tmp_path: Path, kind: Any) -> None:
    expected = {"address": CLIENT, "scheme": "http", "host": "shop.example"}
    with serving("tests.support.behind:app", tmp_path, **TRUSTING) as server, kind(tmp_path, server.port) as port:
        assert ask(port, {}) == expected
        assert ask(port, SPOOFED) == expected
        assert ask(server.port, SPOOFED) == expected, "who calls without a proxy is believed nothing"


def test_a_chain_of_proxies_is_followed_to_the_client(tmp_path: Path) -> None:
    with (
        serving("tests.support.behind:app", tmp_path, **TRUSTING) as server,
        haproxy(tmp_path, server.port) as inner,
        nginx(tmp_path, inner) as outer,
    ):
        assert ask(outer, SPOOFED)["address"] == CLIENT
        assert ask(outer, {"X-Forwarded-For": "6.6.6.6, 127.0.0.1, nonsense"})["address"] == CLIENT
        assert ask(inner, SPOOFED)["address"] == CLIENT
