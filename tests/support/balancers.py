"""nginx and haproxy before servers of ours, as their Debian packages run; installed with apt where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import free_port
from tests.support.server import answers, wait_until

PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy"}
FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/bin"
START_SECONDS = 20

NGINX = """
daemon off; master_process off; worker_rlimit_nofile 60000; pid {folder}/pid; error_log {folder}/log warn;
events {{ worker_connections 30000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream service {{ {servers} keepalive 16; keepalive_timeout 4s; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""
NGINX_SERVER = "server 127.0.0.1:{port} max_fails=0;"
"""Without `max_fails=0` one failed connection takes a server out for ten seconds, and two of them the whole service."""

HAPROXY = """
global
  log stderr format raw local0 warning
defaults
  mode http
  timeout connect 5s
  timeout check 5s
  timeout client 30s
  timeout server 30s
  option httpchk GET /health/ready
  http-reuse safe
  retries 3
  option redispatch
frontend front
  bind 127.0.0.1:{port}
  default_backend service
backend service
  {servers}
"""
HAPROXY_SERVER = "  server s{port} 127.0.0.1:{port} check inter 200ms fall 1 rise 1 pool-purge-delay 2s"


class NoBalancer(Exception):
    """It is not there, and could not be installed; the message says what was tried."""


@contextmanager
def balancer(kind: str, servers: Sequence[int]) -> Iterator[int]:
    """The port of an nginx or a haproxy before servers at these ports. It keeps connections to them, and closes them
    sooner than they do."""
    binary = _binary(kind)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix=f"sternpost-{kind}-") as folder:
        template, server, option = (NGINX, NGINX_SERVER, "-c") if kind == "nginx" else (HAPROXY, HAPROXY_SERVER, "-f")
        configuration = Path(folder) / "configuration"
        listed = ("\n" if kind == "haproxy" else " ").join(server.format(port=each) for each in servers)
        configuration.write_text(template.format(folder=folder, port=port, servers=listed), encoding="utf-8")
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([binary, option, str(configuration)], stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or answers(port), START_SECONDS)
            assert process.poll() is None, (Path(folder) / "log").read_text(encoding="utf-8")
            yield port
        finally:
            process.terminate()
            process.wait(START_SECONDS)
            print((Path(folder) / "log").read_text(encoding="utf-8")[-3000:])  # shown where the test fails


def _binary(kind: str) -> str:
    found = shutil.which(kind) or shutil.which(kind, path=FOLDERS)
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoBalancer("it is not installed, and apt-get cannot install it here")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", PACKAGES[kind]]):
        subprocess.run(["apt-get", *command], env=environment, capture_output=True, check=False)
    found = shutil.which(kind, path=FOLDERS)
    if found is None:
        raise NoBalancer("it is not installed, and apt-get could not install it")
    return found
