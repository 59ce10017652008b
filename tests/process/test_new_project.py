"""`sternpost new`: the project it makes works at once, in real processes that see nothing of this repository."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from sternpost import Settings
from sternpost.cli.scaffold import make_project
from sternpost.errors import StartupError

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 30
"""How long anything may take here before the test fails."""


def clean_environment(**more: str) -> dict[str, str]:
    """What a shell has, and none of this repository's PYTHONPATH, STERNPOST_* and PYTEST_*."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME")
    return {name: os.environ[name] for name in kept if name in os.environ} | more


def python(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_in(folder, sys.executable, "-m", *arguments, **environment)


def run_in(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(**environment),
        text=True,
        capture_output=True,
        timeout=SECONDS * 2,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project made by the command, for tests that change nothing in it."""
    return new_project(tmp_path_factory.mktemp("projects"))


@pytest.fixture
def own_project(tmp_path: Path) -> Path:
    return new_project(tmp_path)


def new_project(folder: Path) -> Path:
    made = python("sternpost", "new", "my-service", folder=folder)
    assert made.returncode == 0, made.stderr
    assert "make test" in made.stdout
    return folder / "my-service"


def files_of(project: Path) -> dict[str, str]:
    """What was generated, by path; not what tools have left since."""
    paths = (
        path
        for path in project.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".pytest_cache" not in path.parts
    )
    return {path.relative_to(project).as_posix(): path.read_text(encoding="utf-8") for path in paths}


# -- what is made


def test_makes_every_part(project: Path) -> None:
    assert set(files_of(project)) >= {
        "pyproject.toml",
        "src/my_service/__init__.py",
        "src/my_service/contract.py",
        "src/my_service/services.py",
        "src/my_service/app.py",
        "src/my_service/data.py",
        "src/my_service/seed.py",
        "tests/conftest.py",
        "tests/test_contract.py",
        "tests/test_tasks.py",
        ".env.example",
        ".gitignore",
        ".dockerignore",
        "Dockerfile",
        "compose.yaml",
        "Makefile",
        "README.md",
        "secrets/README.md",
        "migrations/README.md",
    }


def test_leaves_no_placeholder_and_no_trace_of_this_machine(project: Path) -> None:
    for path, text in files_of(project).items():
        assert "{{" not in text, path
        assert "}}" not in text, path
        assert str(REPOSITORY) not in text, path
        assert not path.endswith(".tmpl"), path


def test_its_tests_pass(project: Path) -> None:
    run = python("pytest", "-q", folder=project)
    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed.group(1)) > 5
    assert "skipped" not in run.stdout
    assert "warning" not in (run.stdout + run.stderr).lower()


def test_its_seed_leaves_the_same_rows_twice(own_project: Path) -> None:
    assert python("sternpost", "migrate", "apply", folder=own_project).returncode == 0
    first, second = (python("sternpost", "seed", folder=own_project) for _ in range(2))
    assert re.search(r"tasks +3 +3", first.stdout), first.stdout + first.stderr
    assert re.search(r"tasks +3 +0", second.stdout), second.stdout + second.stderr


@pytest.mark.slow
def test_its_types_are_right(project: Path) -> None:
    run = python("pyright", "--pythonpath", sys.executable, folder=project)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 errors, 0 warnings" in run.stdout


def test_its_contract_is_right(project: Path) -> None:
    run = python("sternpost", "contract", "check", folder=project)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("ok my-service")


def test_its_example_settings_name_every_variable(project: Path) -> None:
    example = (project / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#(STERNPOST_\w+)=", example, re.MULTILINE))
    assert named == {f"STERNPOST_{name.upper()}" for name in Settings.model_fields}


def test_git_ignores_what_is_secret_or_local(own_project: Path) -> None:
    local = [
        ".env",
        ".sternpost/development-secret",
        ".venv/bin/python",
        "secrets/jwt_secret.txt",
        "sternpost.sqlite",
        "sternpost.sqlite-wal",
    ]
    assert run_in(own_project, "git", "init", "--quiet").returncode == 0
    assert run_in(own_project, "git", "check-ignore", *local).stdout.split() == local
    assert run_in(own_project, "git", "check-ignore", *files_of_git(own_project)).stdout == ""


def files_of_git(project: Path) -> list[str]:
    return [
        path.relative_to(project).as_posix()
        for path in project.rglob("*")
        if path.is_file() and ".git" not in path.parts
    ]


# -- containers


def test_compose_file_holds_no_secret_and_starts_in_order(project: Path) -> None:
    compose = yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert services["migrate"]["command"] == ["sternpost", "migrate", "apply"]
    assert services["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["service"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert "pg_isready" in services["database"]["healthcheck"]["test"]
    for name, service in services.items():
        for variable, value in service["environment"].items():
            assert variable.endswith("_FILE") or variable in ("POSTGRES_USER", "POSTGRES_DB"), f"{name}: {variable}"
            assert not variable.endswith("_FILE") or value.removeprefix("/run/secrets/") in service["secrets"]
    assert all(secret["file"].startswith("./secrets/") for secret in compose["secrets"].values())
    if has_docker_compose():
        checked = run_in(project, "docker", "compose", "-f", "compose.yaml", "config", "-q")
        assert checked.returncode == 0, checked.stderr


def has_docker_compose() -> bool:
    docker = shutil.which("docker")
    return (
        docker is not None
        and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    )


def test_image_runs_as_nobody_in_particular_without_build_tools(project: Path) -> None:
    stages = dockerfile(project)
    assert len(stages) == 2
    final = dict(stages[-1])
    assert final["USER"] == "service"
    assert json.loads(final["CMD"]) == ["sternpost", "serve"]
    assert not any("apt" in argument or "pip" in argument for _, argument in stages[-1])
    environment = image_environment(project)
    assert environment["STERNPOST_ENV"] == "production"
    assert environment["STERNPOST_HOST"] == "0.0.0.0"


def dockerfile(project: Path) -> list[list[tuple[str, str]]]:
    """Its stages, each as instructions with their arguments."""
    text = (project / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stages: list[list[tuple[str, str]]] = []
    for line in lines:
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            stages.append([])
        if stages:  # before the first there are only arguments, which name the images
            stages[-1].append((instruction, argument))
    return stages


def test_images_are_named_by_variables(project: Path) -> None:
    stages = dockerfile(project)
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    assert not text.startswith("# syntax"), "that is one more image, which nothing names"
    first = re.search(r"^(?!#)\S.*$", text, re.MULTILINE)
    assert first is not None
    assert first.group() == "ARG PYTHON_IMAGE=python:3.13-slim"
    assert [stage[0] for stage in stages] == [("FROM", "${PYTHON_IMAGE} AS build"), ("FROM", "${PYTHON_IMAGE}")]
    assert "COPY --from=build " in text
    assert set(re.findall(r"--from=(\S+)", text)) == {"build"}
    assert compose_of(project)["x-service"]["build"]["args"]["PYTHON_IMAGE"] == "${PYTHON_IMAGE:-python:3.13-slim}"
    for file in (project / "compose.yaml", REPOSITORY / "tests" / "support" / "compose.yaml"):
        for name, service in yaml.safe_load(file.read_text(encoding="utf-8"))["services"].items():
            assert "build" in service or re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[^}]+\}", service["image"]), name


def test_the_image_holds_locked_packages_alone(project: Path) -> None:
    build = dockerfile(project)[0]
    installs = [step for kind, text in build if kind == "RUN" for step in text.split("&&") if "pip" in step]
    installs = [step for step in installs if " install " in step or " wheel " in step]
    assert len(installs) == 5
    for step in installs:
        assert "--no-deps" in step, step
        locked = "--require-hashes" in step and re.search(r"--requirement (build-)?requirements\.lock", step)
        own = "--no-index" in step
        named = 'test -z "$STERNPOST_REQUIREMENT" ||' in step
        assert locked or own or named, step
    assert any("--no-build-isolation" in step for step in installs), "what builds the project is locked, too"
    ignored = (project / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [word for kind, text in build if kind == "COPY" for word in text.split()[:-1]]
    assert {"requirements.lock", "build-requirements.lock", "pyproject.toml", "src"} == set(copied)
    copied += [word for kind, text in dockerfile(project)[1] if kind == "COPY" for word in text.split()[:-1]]
    assert {f"!{name}" for name in copied if not name.startswith(("--from=", "/"))} <= set(ignored)


def test_make_lock_writes_what_the_image_copies(project: Path) -> None:
    shown = run_in(project, "make", "--dry-run", "lock")
    assert shown.returncode == 0, shown.stderr
    compiled = [line for line in shown.stdout.splitlines() if "uv pip compile" in line]
    assert all("--generate-hashes" in line and "--universal" in line for line in compiled)
    assert [re.findall(r"--output-file (\S+)", line) for line in compiled] == [
        ["requirements.lock"],
        ["build-requirements.lock"],
    ]
    assert "--no-emit-package" not in shown.stdout
    own = run_in(project, "make", "--dry-run", "lock", "STERNPOST_REQUIREMENT=/some/checkout")
    assert "--no-emit-package sternpost" in own.stdout


def test_every_container_has_a_memory_limit(project: Path) -> None:
    for file in (project / "compose.yaml", REPOSITORY / "tests" / "support" / "compose.yaml"):
        for name, service in yaml.safe_load(file.read_text(encoding="utf-8"))["services"].items():
            limit = re.sub(r"\$\{[A-Z]+_MEMORY:-([^}]+)\}", r"\1", service["mem_limit"])
            assert re.fullmatch(r"[1-9][0-9]*[mg]", limit), name


def compose_of(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))


def image_environment(project: Path) -> dict[str, str]:
    """The STERNPOST_* variables that the image sets."""
    return dict(re.findall(r"(STERNPOST_\w+)=(\S+)", dict(dockerfile(project)[-1])["ENV"]))


def health_command(project: Path) -> list[str]:
    """The HEALTHCHECK of the image, to be run with this Python."""
    command = dict(dockerfile(project)[-1])["HEALTHCHECK"].partition("CMD ")[2]
    return [sys.executable, *json.loads(command)[1:]]


def test_make_secrets_makes_what_compose_mounts(own_project: Path) -> None:
    made = run_in(own_project, "make", "secrets")
    assert made.returncode == 0, made.stderr
    secrets = own_project / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    compose = yaml.safe_load((own_project / "compose.yaml").read_text(encoding="utf-8"))
    for secret in compose["secrets"].values():
        assert (own_project / secret["file"]).stat().st_mode & 0o777 == 0o644
    password = (secrets / "database_password.txt").read_text(encoding="utf-8").strip()
    assert (secrets / "database_url.txt").read_text(
        encoding="utf-8"
    ).strip() == f"postgresql://my_service:{password}@database/my_service"
    assert len((secrets / "jwt_secret.txt").read_text(encoding="utf-8").strip()) == 64


# -- refusals


def test_refuses_a_folder_that_is_in_use(own_project: Path) -> None:
    before = files_of(own_project)
    again = python("sternpost", "new", "my-service", folder=own_project.parent)
    assert again.returncode == 2
    assert "my-service already exists" in again.stderr
    assert files_of(own_project) == before


def test_takes_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "my-service").mkdir()
    assert (make_project("my-service", tmp_path) / "pyproject.toml").is_file()


def test_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match="cannot be written: Not a directory"):
        make_project("my-service", tmp_path / "file")


BAD_NAMES = [
    "My-Service",
    "my_service",
    "-service",
    "my--service",
    "9lives",
    "",
    "../up",
    "class",
    "json",
    "sternpost",
    "tests",
    "uvicorn",
    "a" * 51,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_refuses_a_name_that_cannot_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="such as"):
        make_project(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_name_is_a_wrong_call(tmp_path: Path) -> None:
    refused = python("sternpost", "new", "My_Service", folder=tmp_path)
    assert refused.returncode == 2
    assert "such as my-service" in refused.stderr
    assert "Traceback" not in refused.stderr


# -- running it


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Generator[tuple[subprocess.Popen[bytes], Path]]:
    """A process of the project, and the file that takes its standard error. It has a session of its own, which ends with it."""
    output = folder.parent / "stderr.txt"
    with output.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "sternpost", *arguments],
            cwd=folder,
            env=clean_environment(**environment),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield process, output
        process.terminate()
        process.wait(SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, Any]:
    """An answer; status 0 where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], what: str, output: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, (
            f"{what} did not happen within {SECONDS} s; standard error:\n{output.read_text(encoding='utf-8')}"
        )
        time.sleep(0.05)


def healthy(project: Path, port: int) -> bool:
    """Whether the image's HEALTHCHECK is content."""
    environment = clean_environment(STERNPOST_PORT=str(port))
    return (
        subprocess.run(health_command(project), env=environment, stderr=subprocess.DEVNULL, check=False).returncode == 0
    )


@pytest.mark.slow
def test_dev_restarts_on_change_and_survives_a_mistake(own_project: Path) -> None:
    port, contract = free_port(), own_project / "src" / "my_service" / "contract.py"
    good = contract.read_text(encoding="utf-8")
    update, finish = "update = Update(\n        allow=this.is_owner & can_write,", "finish = Transition("
    wrong = good.replace(update, "update = Update(")
    better = good.replace(
        finish, 'reopen = Transition("status", source="done", target="open", allow=this.is_owner)\n    ' + finish
    )
    assert len({good, wrong, better}) == 3

    def serves_new_contract() -> bool:
        return "/api/v1/tasks/{id}/reopen" in get(port, "/openapi.json")[1].get("paths", {})

    with running(own_project, "dev", "--port", str(port)) as (process, output):
        wait_for(lambda: get(port, "/health/ready")[0] == 200, "the start", output)
        assert healthy(own_project, port)

        contract.write_text(wrong, encoding="utf-8")
        wait_for(lambda: "waiting for the next save" in output.read_text(encoding="utf-8"), "the complaint", output)
        complaint = output.read_text(encoding="utf-8")
        assert re.search(r"src/my_service/contract\.py:\d+: SP\d{3} ", complaint), complaint
        assert "fix:" in complaint
        assert get(port, "/health")[0] == 200
        assert not serves_new_contract()

        contract.write_text(better, encoding="utf-8")
        wait_for(serves_new_contract, "the restart", output)
        assert process.poll() is None
    assert process.returncode == 0
    assert get(port, "/health")[0] == 0, "the served process outlived `sternpost dev`"
    assert not healthy(own_project, port)


def test_serves_for_real_with_the_settings_of_the_image(own_project: Path) -> None:
    port = free_port()
    secrets = {
        "STERNPOST_DATABASE_URL": f"sqlite:///{own_project.parent / 'real.sqlite'}",
        "STERNPOST_JWT_SECRET": os.urandom(32).hex(),
    }
    environment = image_environment(own_project) | {"STERNPOST_HOST": "127.0.0.1", "STERNPOST_PORT": str(port)}
    for name, value in secrets.items():
        file = own_project.parent / f"{name}.txt"
        file.write_text(value + "\n", encoding="utf-8")
        environment[f"{name}_FILE"] = str(file)
    migrated = python("sternpost", "migrate", "apply", folder=own_project, **environment)
    assert migrated.returncode == 0, migrated.stderr
    with running(own_project, "serve", **environment) as (process, output):
        wait_for(lambda: get(port, "/health/ready")[0] == 200, "the start", output)
        assert healthy(own_project, port)
        assert get(port, "/api/v1/tasks")[0] == 401
    assert process.returncode == 0


class Image:
    """The files of the project's image, laid out below a folder by the COPY lines of its Dockerfile, without an engine."""

    def __init__(self, project: Path, root: Path) -> None:
        self.project = project
        self.packages = root / "site-packages"
        """What `pip install` puts into the image's environment, as far as it is the project's own."""
        self.stages: dict[str, Path] = {}
        for number, stage in enumerate(dockerfile(project)):
            named = stage[0][1].partition(" AS ")[2] or "final"
            self.stages[named] = root / str(number)
            self._lay_out(stage, self.stages[named])
        self.folder = self._place(self.stages["final"], "", dict(dockerfile(project)[-1])["WORKDIR"])

    def _lay_out(self, stage: list[tuple[str, str]], root: Path) -> None:
        folder = "/"
        for instruction, argument in stage:
            if instruction == "WORKDIR":
                folder = argument
                self._place(root, "", folder).mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY" and argument.startswith("--from="):
                continue  # the environment, which is this Python's with `packages`
            elif instruction == "COPY":
                *names, target = argument.split()
                for name in names:
                    self._copy(name, self._place(root, folder, target), into=target.endswith("/"))
            elif instruction == "RUN" and "pip wheel" in argument:
                self._install(self._place(root, "", folder))

    def _place(self, root: Path, folder: str, path: str) -> Path:
        return root / folder.lstrip("/") / path.lstrip("/")

    def _copy(self, name: str, target: Path, *, into: bool) -> None:
        """As a builder does: what .dockerignore does not let through, or what is not there, is an error."""
        allowed = (self.project / ".dockerignore").read_text(encoding="utf-8").split()
        source = self.project / name
        if f"!{name}" not in allowed or not source.exists():
            if name.endswith("requirements.lock"):
                return  # `make lock` writes it, from the package index
            raise AssertionError(f"COPY {name}: there is no such file for the builder")
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, target / name if into else target)

    def _install(self, folder: Path) -> None:
        made = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        for package in made["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
            shutil.copytree(folder / package, self.packages / Path(package).name)

    def environment(self, **more: str) -> dict[str, str]:
        fixed = {"PYTHONPATH": str(self.packages), "PYTHONDONTWRITEBYTECODE": "1", "STERNPOST_HOST": "127.0.0.1"}
        return image_environment(self.project) | fixed | more


def deployed(image: Image, **environment: str) -> dict[str, Any]:
    """What `docker compose up` does: the container `migrate`, then the service. The service's OpenAPI document."""
    port = free_port()
    given = image.environment(STERNPOST_PORT=str(port), **environment)
    command = compose_of(image.project)["services"]["migrate"]["command"]
    migrated = python(*command, folder=image.folder, **given)
    assert migrated.returncode == 0, migrated.stderr
    assert "Traceback" not in migrated.stderr
    _, *served = json.loads(dict(dockerfile(image.project)[-1])["CMD"])
    with running(image.folder, *served, **given) as (process, output):
        wait_for(lambda: get(port, "/health/ready")[0] == 200, "the start", output)
        openapi = get(port, "/openapi.json")[1]
    assert process.returncode == 0
    return openapi


@pytest.mark.slow
def test_a_second_deployment_migrates(own_project: Path, tmp_path: Path, database_url: str) -> None:
    """The first one creates the schema; the second one has another contract, and the migrations that lead to it."""
    secret = {"STERNPOST_JWT_SECRET": os.urandom(32).hex(), "STERNPOST_DATABASE_URL": database_url}
    contract = own_project / "src" / "my_service" / "contract.py"
    assert "priority" not in json.dumps(deployed(Image(own_project, tmp_path / "first"), **secret))
    planned = [python("sternpost", "migrate", "plan", folder=own_project)]
    old = contract.read_text(encoding="utf-8")
    new = old.replace("    result: str", "    priority: int = field(default=3, ge=1, le=5)\n    result: str")
    assert new != old
    contract.write_text(new, encoding="utf-8")
    planned.append(python("sternpost", "migrate", "plan", folder=own_project))
    assert [run.returncode for run in planned] == [0, 0], [run.stderr for run in planned]
    second = Image(own_project, tmp_path / "second")
    assert "priority" in json.dumps(deployed(second, **secret))
    status = python("sternpost", "migrate", "status", folder=second.folder, **second.environment(**secret))
    assert status.returncode == 0, status.stdout + status.stderr
    third = deployed(Image(own_project, tmp_path / "third"), **secret)  # nothing to migrate
    assert "priority" in json.dumps(third)


def test_says_where_this_sternpost_is_from(tmp_path: Path) -> None:
    """A package index may not have it: the project's own environment installs it from the same place."""
    done = python("sternpost", "new", "desk", folder=tmp_path)
    assert f"export STERNPOST_REQUIREMENT={REPOSITORY}" in done.stdout
    make = shutil.which("make")
    assert make is not None
    shown = run_in(tmp_path / "desk", make, "--dry-run", "test", STERNPOST_REQUIREMENT=str(REPOSITORY))
    assert f"install --quiet --disable-pip-version-check '{REPOSITORY}'" in shown.stdout
