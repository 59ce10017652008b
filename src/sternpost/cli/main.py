"""The commands, and how they report errors."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sternpost.app.import_errors import ImportFailed
from sternpost.cli.advise import advise_cli
from sternpost.cli.apikey import apikey_cli
from sternpost.cli.audit import audit_cli
from sternpost.cli.gate import gate_cli
from sternpost.cli.limits import limits_cli
from sternpost.cli.load import load_cli
from sternpost.cli.log_level import log_level
from sternpost.cli.migrate import make_schema, migrate_cli
from sternpost.cli.output import (
    errors,
    guard_output,
    out,
    print_bytes,
    print_error,
    print_json,
    print_plain,
    shown,
    shown_lines,
    write_file,
)
from sternpost.cli.policy import policy_cli
from sternpost.compile.diagnostics import ContractError, Diagnostic
from sternpost.data.hooks import PLACES
from sternpost.errors import StartupError
from sternpost.version import __version__
from sternpost.visible import visible_json

FAILED = 1
WRONG = 2
"""Exit statuses: the contract or the service is wrong; the call or its settings are."""

App = Annotated[
    str | None,
    typer.Argument(
        help="The application as module:attribute; by default the one set in pyproject.toml", show_default=False
    ),
]

cli = typer.Typer(
    name="sternpost",
    help="Declare a backend as a contract, and serve it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
contract_cli = typer.Typer(help="Check, emit and explain the contract.", no_args_is_help=True)
cli.add_typer(contract_cli, name="contract")
cli.add_typer(migrate_cli, name="migrate")
cli.add_typer(advise_cli, name="advise")
cli.add_typer(apikey_cli, name="apikey")
cli.add_typer(audit_cli, name="audit")
cli.add_typer(gate_cli, name="gate")
cli.add_typer(limits_cli, name="limits")
cli.add_typer(load_cli, name="load")
cli.add_typer(policy_cli, name="policy")
cli.command("log-level")(log_level)


def main() -> None:
    """Runs a command; what a user can correct is said without a traceback."""
    guard_output()
    if len(sys.argv) > 1 and sys.argv[1] in ("serve", "worker"):
        gc.set_threshold(50_000)  # what a start makes stays, and the collector would walk through it time and again
        for number in (signal.SIGINT, signal.SIGTERM):  # until the server takes them: a stop while starting is a stop
            signal.signal(number, _stop_before_serving)
    try:
        cli()
    except StartupError as error:
        print_error(str(error))
        sys.exit(WRONG)
    except ContractError as error:
        print_diagnostics(error.diagnostics, "contract has")
        sys.exit(FAILED)
    except ImportFailed as error:
        print_error("\n".join((str(error), *getattr(error, "__notes__", ()))))
        sys.exit(FAILED)


def _stop_before_serving(number: int, frame: Any) -> None:
    os._exit(0)


@cli.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Options of the command itself."""
    if version:
        print_plain(f"{__version__}\n")
        raise typer.Exit


@cli.command()
def serve(
    app: App = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (STERNPOST_HOST)")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (STERNPOST_PORT)", min=0, max=65535)] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of worker processes (STERNPOST_WORKERS)", min=1, max=512)
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(help="Prefix that the service is reached below, such as /shop (STERNPOST_ROOT_PATH)"),
    ] = None,
    create_schema: Annotated[
        bool, typer.Option("--create-schema", help="Create the schema first, as `migrate apply` does")
    ] = False,
) -> None:
    """Serve the application: log JSON lines to standard output, shut down cleanly on SIGINT and SIGTERM.

    With several workers, a supervisor restarts workers that die, and SIGHUP replaces them one by one.
    """
    from sternpost.app.cautions import cautions
    from sternpost.app.drivers import check_limit_store
    from sternpost.app.loading import application_name, load_application
    from sternpost.app.server import serve as run
    from sternpost.app.supervisor import supervise
    from sternpost.cli.configuration import configure

    name = application_name(app)
    application = load_application(name)
    settings = configure(application, host=host, port=port, workers=workers, root_path=root_path)
    if create_schema:
        make_schema(application, settings, name)
    if settings.workers == 1:
        sys.exit(run(application, settings))
    if application.plan.every_limit:
        check_limit_store(settings, workers=settings.workers)
    told = cautions(settings, application.mounts)
    sys.exit(supervise(settings, name, settings.service or application.plan.name, told))


@cli.command(hidden=True)
def worker(
    app: Annotated[str, typer.Argument()],
    host: Annotated[str, typer.Option()],
    port: Annotated[int, typer.Option()],
    listener: Annotated[int, typer.Option(help="File descriptor of the socket to accept from")],
    link: Annotated[int, typer.Option(help="File descriptor of the connection to the supervisor")],
    limits: Annotated[int, typer.Option(help="File descriptor of the memory that workers count in")],
    number: Annotated[int | None, typer.Option(help="Which of the workers it is")] = None,
    root_path: Annotated[str, typer.Option()] = "",
) -> None:
    """A worker of `serve --workers`; started only by the supervisor."""
    from sternpost.app.worker import Link, inherited

    supervisor = Link(link, number)

    from sternpost.app.loading import load_application
    from sternpost.app.server import serve as run
    from sternpost.cli.configuration import configure

    try:
        application = load_application(app)
        settings = configure(application, host=host, port=port, root_path=root_path)
        application.use(settings, limits)
        status = run(
            application,
            settings,
            lambda port: supervisor.ready(),
            listener=inherited(listener),
            link=supervisor,
        )
    except BaseException as error:
        supervisor.failed(_why(error))
        raise
    sys.exit(status)


def _why(error: BaseException) -> str | None:
    """What a worker says of an error that ends its start. The text of one that nobody foresaw may hold values."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, str) else None
    return str(error) if isinstance(error, StartupError | ContractError | ImportFailed) else type(error).__name__


@cli.command()
def dev(
    app: App = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on", min=0, max=65535)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply migrations without asking")] = False,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="With --yes, also apply migrations that destroy data")
    ] = False,
) -> None:
    """Serve for development. After a change of the contract: write its types, show the migration, apply it after a yes,
    and restart. Until then, and if the contract has mistakes, the last good version is served."""
    from sternpost.app.loading import application_name
    from sternpost.cli.configuration import development_settings
    from sternpost.cli.dev import run_dev

    if development_settings(serving=False).production:
        raise StartupError("dev changes the database by itself, and STERNPOST_ENV is production: use serve")
    options = [*(("--host", host) if host else ()), *(("--port", str(port)) if port else ())]
    sys.exit(run_dev(application_name(app), options, yes=yes, allow_destructive=allow_destructive))


@cli.command("dev-look", hidden=True)
def dev_look(
    app: Annotated[str, typer.Argument()],
    rename: Annotated[list[str] | None, typer.Option()] = None,
    drop: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    """What a change means for the database; only `dev` asks."""
    from sternpost.cli.migrate import outlook

    print_json(outlook(app, rename or (), drop or ()))


@cli.command()
def seed(
    app: App = None,
    production: Annotated[bool, typer.Option("--production", help="Also with STERNPOST_ENV=production")] = False,
) -> None:
    """Fill the database with the project's own rows, all of them or none. Run again, it leaves the same rows."""
    from sternpost.app.loading import application_name, load_application
    from sternpost.cli.seed import fill

    application = load_application(application_name(app))
    fill(application, allow_production=production)


@cli.command()
def token(
    sub: Annotated[str, typer.Option(help="The subject of the token: the id of a user, or any name")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="A scope, or a pattern such as '*:read' or 'orders:*'; can be repeated, or hold several, "
            "separated by spaces"
        ),
    ] = None,
    seconds: Annotated[int, typer.Option(help="How long the token is valid", min=1)] = 86_400,
    tenant: Annotated[str | None, typer.Option(help="The tenant that the caller acts for")] = None,
    claim: Annotated[
        list[str] | None, typer.Option(help="A further claim, as name=value or name=JSON; can be repeated")
    ] = None,
) -> None:
    """Print a token for development."""
    from sternpost.cli.claims import read_claims
    from sternpost.cli.configuration import development_settings, development_token

    scopes = [part for item in scope or [] for part in item.split()]
    print_plain(
        development_token(development_settings(), sub, scopes, seconds, tenant, read_claims(claim or [])) + "\n"
    )


@cli.command()
def new(
    name: Annotated[str, typer.Argument(help="The project's name, in lower case with dashes; also its folder")],
) -> None:
    """Create a new project with tests, settings, Dockerfile, compose.yaml and README."""
    from shlex import quote

    from sternpost.cli.scaffold import make_project, own_requirement, write_data_types

    folder, requirement = make_project(name, Path()), own_requirement()
    write_data_types(folder)
    export = (
        f"  export STERNPOST_REQUIREMENT={quote(requirement)}   # where this Sternpost is from\n" if requirement else ""
    )
    out.print(
        f"[green bold]Created[/] {shown(folder)}/\n\n  cd {shown(folder)}\n{shown_lines(export)}"
        "  make test     [dim]# sets up and runs its tests[/]\n"
        "  make dev      [dim]# serves it on http://127.0.0.1:8000/docs[/]"
    )


@contract_cli.command()
def check(app: App = None) -> None:
    """Compile the contract, and show every mistake with its place and its fix."""
    from sternpost.app.loading import application_name, data_file, load_application
    from sternpost.cli.lists import print_lists

    application = load_application(application_name(app))
    plan = application.plan
    operations = sum(len(resource.operations) for resource in plan.resources)
    counted = f"{_count(len(plan.resources), 'resource')}, {_count(operations, 'operation')}"
    out.print(f"[green bold]ok[/] {shown(plan.name)}: {counted}, fingerprint {plan.fingerprint[:16]}")
    for operation in (operation for _, operation in plan.operations.values() if operation.http_only):
        out.print(f"[yellow]http[/] {shown(operation.id)} is served over HTTP alone; batches leave it out")
    if not plan.external:
        print_lists(plan, out)
    _check_sources(application.compiled)
    path = data_file()
    if path is not None:
        from sternpost.derive.typed_data import problem_of

        problem = problem_of(application.compiled, path)
        if problem is not None:
            print_error(problem)
            raise typer.Exit(FAILED)
        out.print(f"[green bold]ok[/] {shown(path)}: the data client's types are those of the contract")


def _check_sources(compiled: Any) -> None:
    """Shows what services and what is beside them do that they may not; ends the command where there is something."""
    from sternpost.compile.source_rules import check_sources

    wired = compiled.wired
    hooks = [hook for found in wired.hooks.values() for place in PLACES for hook in getattr(found, place)]
    others = [injected.function for injected in (*hooks, *wired.on_start, *wired.on_stop)]
    factories = [maker.factory for maker in wired.makers]
    computing = [injected.function for injected in compiled.computing.values()]
    found = check_sources([*compiled.functions.values(), *others, *computing, *factories])
    if found:
        print_diagnostics(found, "services and what is beside them have")
        raise typer.Exit(FAILED)


@contract_cli.command()
def emit(
    app: App = None,
    out_dir: Annotated[Path, typer.Option("--out", help="The folder to write to")] = Path("contract"),
    only: Annotated[
        str | None, typer.Option(help="Print this file (such as openapi.json) instead of writing all")
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="Write the data client's types to this module instead", show_default=False)
    ] = None,
) -> None:
    """Write everything derived from the contract: plan, OpenAPI, and the schema and statements for each database."""
    if python is not None:
        _emit_python(app, python)
        return
    from sternpost.app.loading import application_name, load_application
    from sternpost.derive.emit import emitted_files

    files = emitted_files(load_application(application_name(app)).compiled)
    if only is not None:
        if only not in files:
            raise StartupError(f"There is no file {only}; the files are {', '.join(files)}")
        _print_file(only, files[only])
        return
    if out_dir.exists() and not out_dir.is_dir():
        raise StartupError(f"{out_dir} is a file; give a folder")
    for name, content in files.items():
        write_file(out_dir / name, content)
        out.print(f"[green]wrote[/] {shown(out_dir / name)}")


@contract_cli.command()
def explain(
    operation: Annotated[
        str | None,
        typer.Argument(help="An operation, such as orders.pay; by default all are listed", show_default=False),
    ] = None,
    app: Annotated[str | None, typer.Option(help="The application as module:attribute")] = None,
    database: Annotated[
        str | None, typer.Option(help="sqlite or postgresql; by default the database of STERNPOST_DATABASE_URL")
    ] = None,
) -> None:
    """Explain an operation: its address, its policy, its SQL (of a list with the policy), and where each value was
    declared."""
    from sternpost.app.loading import application_name, load_application
    from sternpost.cli.explain import explain_one, list_all
    from sternpost.settings import load_settings

    compiled = load_application(application_name(app)).compiled
    if operation is None:
        list_all(compiled, out)
        return
    if database not in (None, "sqlite", "postgresql"):
        raise StartupError(f"There is no database {database!r}; use sqlite or postgresql")
    scheme = database or load_settings(dotenv=Path(".env")).database_url.get_secret_value().partition("://")[0]
    explain_one(compiled, operation, "postgresql" if scheme.startswith("postgres") else "sqlite", out)


@contract_cli.command()
def infer(
    url: Annotated[
        str,
        typer.Argument(help="The database: sqlite:///path or postgresql://user:password@host/name. It is only read"),
    ],
    schema: Annotated[
        list[str] | None, typer.Option(help="A schema of PostgreSQL; can be repeated", show_default=False)
    ] = None,
    tables: Annotated[
        str | None, typer.Option(help="Only these tables, separated by commas", show_default=False)
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="A pattern of tables to leave out, such as tmp_* or sales.*; can be repeated", show_default=False
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The name of the contract; by default that of the database", show_default=False)
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The file to write; by default it is printed", show_default=False)
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Also offer operations that create, update and delete rows")
    ] = False,
) -> None:
    """Write a contract from the tables of an existing database."""
    from sternpost.app.infer import infer_contract
    from sternpost.cli.infer import report

    only = [part.strip() for part in (tables or "").split(",") if part.strip()]
    if out_file is not None and out_file.exists():
        raise StartupError(f"{out_file} already exists; choose another file, or remove it")
    text, inferred = infer_contract(
        url, schemas=schema or (), tables=only, exclude=exclude or (), name=name, write=write
    )
    if out_file is None:
        print_plain(text)
    else:
        write_file(out_file, text.encode())
    report(inferred, out_file, errors if out_file is None else out)


@contract_cli.command()
def diff(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="A git reference such as origin/main, or a plan.json")
    ],
    app: Annotated[str | None, typer.Option(help="The application as module:attribute")] = None,
    waivers: Annotated[Path, typer.Option(help="The file with waivers for breaking changes")] = Path(
        "contract-waivers.toml"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List every change since REF. Fails if one breaks clients, unless a version or a dated waiver covers it."""
    import orjson

    from sternpost.app.loading import application_name, load_application
    from sternpost.cli.difference import print_verdict
    from sternpost.derive.compare import judge, plan_at, read_waivers
    from sternpost.derive.diff import compare
    from sternpost.derive.emit import plan_data

    name = application_name(app)
    application = load_application(name)
    new = orjson.loads(orjson.dumps(plan_data(application.compiled)))
    verdict = judge(compare(plan_at(reference, name), new), read_waivers(waivers), application.clock.now())
    if as_json:
        print_json(verdict.as_data(), indented=True)
    else:
        print_verdict(verdict, waivers, out)
    if verdict.refused:
        raise typer.Exit(FAILED)


def _emit_python(app: str | None, path: Path) -> None:
    from sternpost.app.loading import application_name, load_application
    from sternpost.derive.typed_data import typed_data

    source = typed_data(load_application(application_name(app), writing=path).compiled)
    write_file(path, source.encode())
    out.print(f"[green]wrote[/] {shown(path)}")


def _print_file(name: str, content: bytes) -> None:
    """One of the emitted files, for another program or a look at it."""
    if name.endswith(".json"):
        print_bytes(visible_json(content))
    else:
        print_plain(content.decode())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def print_diagnostics(diagnostics: Sequence[Diagnostic], what_has: str) -> None:
    """Mistakes, for a terminal."""
    count = len(diagnostics)
    errors.print(f"[red bold]The {what_has} {count} mistake{'s' if count > 1 else ''}[/]")
    for diagnostic in diagnostics:
        what = f"{diagnostic.place}: {diagnostic.code} {diagnostic.message}"
        fix = shown_lines(diagnostic.fix)
        errors.print(f"  [bold]{shown_lines(what)}[/]\n      [green]fix:[/] {fix}")
