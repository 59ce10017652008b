"""Asks the ops port of a service that runs, as the settings name it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from sternpost.cli.output import out
from sternpost.errors import StartupError
from sternpost.settings import Settings, load_settings

ANSWER_SECONDS = 10


def tell_silent(answer: Any) -> None:
    """Names processes that will hear of a change later."""
    for process in answer["processes"]:
        if not process["answered"]:
            out.print(f"[yellow]silent[/] process {process['pid']} has not answered; it is told when it goes on")


def ask(method: str, path: str, body: Any = None) -> Any:
    """The data of an answer. Raises `StartupError` where there is none, or it is an error."""
    settings = load_settings(dotenv=Path(".env"), serving=False)
    if settings.ops_token is None:
        raise StartupError("Set STERNPOST_OPS_TOKEN (or STERNPOST_OPS_TOKEN_FILE) to the token of the ops port")
    status, answer = _exchange(settings, settings.ops_token.get_secret_value(), method, path, body)
    if status != 200:
        error = answer["error"]
        details = [f"  {detail['path']}: {detail['message']}" for detail in error["details"]]
        raise StartupError("\n".join((error["message"], *details)))
    return answer["data"]


def _exchange(settings: Settings, token: str, method: str, path: str, body: Any) -> tuple[int, Any]:
    import http.client

    host = settings.ops_host if settings.ops_host not in ("0.0.0.0", "::") else "localhost"  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.ops_port, timeout=ANSWER_SECONDS)
    try:
        content = None if body is None else orjson.dumps(body)
        connection.request(method, path, content, {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, orjson.loads(response.read())
    except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
        raise StartupError(
            f"The ops port at {host}:{settings.ops_port} does not answer: {error}. "
            "Set STERNPOST_OPS_HOST and STERNPOST_OPS_PORT to where the service has it."
        ) from error
    finally:
        connection.close()
