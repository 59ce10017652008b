"""`sternpost migrate`: plans, applies, takes back, shows and proves migrations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sternpost.cli.database import on_storage
from sternpost.cli.output import out, print_plain, shown, shown_lines
from sternpost.errors import StartupError

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost
    from sternpost.migrations.history import History
    from sternpost.migrations.planner import Answers, Question
    from sternpost.migrations.runner import Runner
    from sternpost.ports.schema import DatabaseName, Shape
    from sternpost.settings import Settings

migrate_cli = typer.Typer(help="Manage the database's schema with migrations that can be undone.", no_args_is_help=True)

App = Annotated[
    str | None,
    typer.Argument(
        help="The application as module:attribute; by default the one set in pyproject.toml", show_default=False
    ),
]
Destructive = Annotated[bool, typer.Option("--allow-destructive", help="Allow steps that destroy data")]


@migrate_cli.command()
def plan(
    app: App = None,
    title: Annotated[str | None, typer.Option("--message", "-m", help="The title of the migration")] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            help="A rename: users.name:users.full_name, users:people, or for a value "
            "users.state.open:users.state.active; can be repeated"
        ),
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="users.name was removed, not renamed; can be repeated")] = None,
    fill: Annotated[
        list[str] | None, typer.Option(help="users.nickname=SQL: the value of a new column in existing rows")
    ] = None,
    using: Annotated[list[str] | None, typer.Option(help="users.age=SQL: the value in the column's new type")] = None,
    irreversible: Annotated[str | None, typer.Option(help="The reason why the migration cannot be undone")] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Write a migration without schema changes, for data")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the migration instead of writing it")] = False,
) -> None:
    """Write the next migration: the steps from the last migration to the contract."""
    from sternpost.app.migrating import fingerprints_of, shape_of
    from sternpost.migrations.history import write_revision
    from sternpost.migrations.planner import Answers, plan_steps, unknown_answers
    from sternpost.migrations.shape import same
    from sternpost.migrations.source import rendered

    application, history = _loaded(app)
    old, new = history.shape(), shape_of(application.plan)
    answers = Answers(
        dict(map(_renamed, rename or ())),
        frozenset(drop or ()),
        dict(_pair(text, "=", "--fill") for text in fill or ()),
        dict(_pair(text, "=", "--using") for text in using or ()),
    )
    answers = _asked(old, new, answers)
    problems = unknown_answers(old, new, answers)
    if problems:
        raise StartupError("\n".join(problems))
    up, questions = plan_steps(old, new, answers)
    _refuse(questions)
    fingerprints = fingerprints_of(application.plan)
    head = history.head
    if not empty and same(old, new) and (head is not None and head.fingerprints == fingerprints):
        out.print("[green bold]nothing to do[/]: the migrations already match the contract")
        return
    down, questions = plan_steps(new, old, answers.reversed())
    if questions and irreversible is None:
        _refuse(
            questions, "It is not clear how to undo the migration. Answer, or give a reason with --irreversible REASON:"
        )
    down = down if irreversible is None else []
    name = title or ("create the schema" if not history.revisions else up[0].title if up else "nothing in the database")
    if dry_run:
        print_plain(rendered(name, "next", head.name if head else None, fingerprints, up, down, irreversible))
    else:
        path = write_revision(
            history, title=name, fingerprints=fingerprints, up=up, down=down, irreversible=irreversible
        )
        out.print(f"[green bold]wrote[/] {shown(path)}")
    for step in up:
        out.print(f"  {shown(step.title)}" + (f"  [red]destroys {shown(step.loses)}[/]" if step.loses else ""))
    _print_lint(up)


@migrate_cli.command()
def apply(
    app: App = None,
    to: Annotated[str | None, typer.Option(help="The last migration to apply, by the start of its name")] = None,
    allow_destructive: Destructive = False,
    lint: Annotated[
        bool, typer.Option("--lint", help="Stop if the linter squawk reports a problem (PostgreSQL)")
    ] = False,
    lock_timeout: Annotated[float, typer.Option(help="Seconds that a statement waits for a lock", min=0.1)] = 5.0,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another migrating process", min=0)] = 600.0,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Rename a SQLite file with a different schema, and create a new one")
    ] = False,
) -> None:
    """Apply pending migrations. Without migrations, create the schema from the contract."""
    from sternpost.cli.configuration import configure
    from sternpost.cli.dev import set_other_schema_aside

    application, history = _loaded(app)
    settings = configure(application, serving=False)
    if set_aside and not history.revisions:
        moved = set_other_schema_aside(settings, application.plan)
        if moved is not None:
            out.print(
                f"[yellow]the schema has changed[/]: the old database is now {shown(moved)}, and a new one is created"
            )
    if not history.revisions:
        created = create_schema(application)
        out.print(
            "[green bold]created[/] the schema" if created else "[green bold]up to date[/]: the schema already exists"
        )
        return
    runner = _runner(settings, application, history, lock_timeout)
    if lint:
        _refuse_lint(history, runner)
    applied = runner.apply(to=to, allow_destructive=allow_destructive, wait_seconds=wait)
    _report("applied", applied)
    if to is None:
        _refuse_ahead(application, history)


@migrate_cli.command()
def down(
    app: App = None,
    to: Annotated[
        str | None, typer.Option(help="The migration to go back to, or base; by default only the last is undone")
    ] = None,
    allow_destructive: Destructive = False,
    lock_timeout: Annotated[float, typer.Option(help="Seconds that a statement waits for a lock", min=0.1)] = 5.0,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another migrating process", min=0)] = 600.0,
) -> None:
    """Undo the last migration, or all migrations after --to."""
    from sternpost.cli.configuration import configure

    application, history = _loaded(app)
    settings = configure(application, serving=False)
    _need_migrations(history)
    runner = _runner(settings, application, history, lock_timeout)
    _report("undone", runner.down(to=to, allow_destructive=allow_destructive, wait_seconds=wait))


@migrate_cli.command()
def status(app: App = None) -> None:
    """Show which migrations are applied and pending, and whether they match the contract. Exits with 1 if not."""
    from sternpost.cli.configuration import configure

    application, history = _loaded(app)
    settings = configure(application, serving=False)
    _need_migrations(history)
    runner = _runner(settings, application, history, 5.0)
    state = runner.state()
    count = history.position(state.revision)
    if state.direct:
        count = runner.place(state)
        out.print("the schema was created without migrations; [bold]migrate apply[/] records its migration")
    table = Table("migration", "state", "what it does", box=None)
    for number, revision in enumerate(history.revisions, start=1):
        stopped = state.unfinished is not None and state.unfinished.revision == revision.name
        text = "[red]interrupted[/]" if stopped else "[green]applied[/]" if number <= count else "[yellow]pending[/]"
        notes = [shown(revision.title)]
        notes += ["[red]destructive[/]"] if any(step.loses for step in revision.up) else []
        notes += [f"irreversible: {shown(revision.irreversible)}"] if revision.irreversible else []
        table.add_row(shown(revision.name), text, "; ".join(notes))
    out.table(table)
    pending = len(history.revisions) - count
    if state.unfinished is not None:
        out.print(
            f"[red]{shown(state.unfinished.revision)} was interrupted[/]: run migrate {_command(state.unfinished)}"
        )
    elif pending:
        out.print(f"[yellow]{pending} pending[/]: run sternpost migrate apply")
    for missing in runner.missing(application.plan.database_objects):
        out.print(f"[yellow]missing[/]: the {missing.kind} {shown(missing.name)}, which the contract says is made here")
    _refuse_ahead(application, history)
    if pending or state.unfinished is not None:
        raise typer.Exit(1)
    out.print("[green bold]up to date[/]: the database, the migrations and the contract match")


@migrate_cli.command()
def verify(
    app: App = None,
    database: Annotated[
        list[str] | None, typer.Option(help="sqlite or postgresql; by default every available one")
    ] = None,
    postgresql_url: Annotated[
        str | None,
        typer.Option(
            help="A database on the server for scratch databases; by default STERNPOST_DATABASE_URL, if PostgreSQL",
            envvar="STERNPOST_VERIFY_POSTGRESQL_URL",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Verify every migration: apply, undo and reapply it on scratch databases with rows, and compare the results."""
    from sternpost.app.migrating import is_current, scratch_databases
    from sternpost.migrations.verify import verify as prove
    from sternpost.ports.schema import DATABASE_NAMES
    from sternpost.settings import load_settings

    application, history = _loaded(app)
    _need_migrations(history)
    unknown = set(database or ()) - set(DATABASE_NAMES)
    if unknown:
        raise StartupError(f"There is no database {', '.join(sorted(unknown))}; use sqlite or postgresql")
    wanted: list[DatabaseName] = [name for name in DATABASE_NAMES if not database or name in database]
    url = postgresql_url
    if url is None:
        configured = load_settings(dotenv=Path(".env"), serving=False).database_url.get_secret_value()
        url = configured if configured.startswith("postgres") else None
    if not is_current(history, application.plan):
        raise StartupError("The contract has changes without a migration: run sternpost migrate plan")
    failed = False
    with ExitStack() as stack:
        for name in wanted:
            if name == "postgresql" and url is None:
                text = "no server is given. Use --postgresql-url or set STERNPOST_VERIFY_POSTGRESQL_URL"
                if database:
                    raise StartupError(f"postgresql: {text}")
                out.print(f"[yellow bold]not verified[/] on postgresql: {shown(text)}")
                continue
            make = stack.enter_context(scratch_databases(name, str(url)))
            for proof in prove(history, application.plan, make(), make()):
                mark = "[red bold]failed[/]" if proof.problems else "[green bold]verified[/]"
                facts = [f"{proof.rows} rows"]
                facts += [f"destroys {', '.join(proof.lost)}"] if proof.lost else []
                facts += [f"cannot be undone: {proof.irreversible}"] if proof.irreversible else []
                out.print(f"{mark} {proof.database}  {shown(proof.revision)}  {shown('; '.join(facts))}")
                for problem in proof.problems:
                    out.print(f"    {shown_lines(problem)}")
                failed = failed or bool(proof.problems)
    if failed:
        raise typer.Exit(1)


def make_schema(application: Sternpost, settings: Settings, name: str | None) -> None:
    """What `serve --create-schema` does first: the migrations, or the schema itself where there are none."""
    history = _history(application, name)
    if history.revisions:
        _runner(settings, application, history, 5.0).apply()
    else:
        create_schema(application)


def create_schema(application: Sternpost) -> bool:
    """Creates the schema directly; False if it already exists, or the contract says that it is external."""
    if application.plan.external:
        return False
    return on_storage(application, lambda storage: storage.create_schema())


def outlook(app: str, rename: Sequence[str], drop: Sequence[str]) -> dict[str, Any]:
    """What `dev` has to do before the contract can be served; writes the data client's types."""
    from dataclasses import asdict, replace

    from sternpost.cli.configuration import configure
    from sternpost.cli.outlook import look, write_types
    from sternpost.migrations.planner import Answers

    application, wrote = write_types(app)
    configure(application, serving=False)
    answers = Answers(dict(map(_renamed, rename)), frozenset(drop))
    return asdict(replace(look(application, _history(application, app), answers), wrote=wrote))


# -- parts


def _loaded(app: str | None) -> tuple[Sternpost, History]:
    from sternpost.app.loading import application_name, load_application

    name = application_name(app)
    application = load_application(name)
    if application.plan.external:
        raise StartupError("The schema of this database is external: Sternpost does not change it")
    return application, _history(application, name)


def _history(application: Sternpost, name: str | None) -> History:
    from sternpost.app.loading import application_name, migrations_folder
    from sternpost.migrations.history import History, read_history

    folder = migrations_folder(application_name(name))
    if application.plan.external:
        return History(folder, ())
    return read_history(folder)


def _need_migrations(history: History) -> None:
    if not history.revisions:
        raise StartupError(f"There are no migrations in {history.folder}: run sternpost migrate plan")


def _runner(settings: Settings, application: Sternpost, history: History, lock_timeout: float) -> Runner:
    from sternpost.app.migrating import runner_of

    url = settings.database_url.get_secret_value()
    return runner_of(application.plan, history, url, lock_timeout, lambda text: out.print(f"[dim]{shown(text)}[/]"))


def _pair(text: str, separator: str, option: str) -> tuple[str, str]:
    before, found, after = text.partition(separator)
    if not found or not before or not after:
        raise StartupError(f"{option} {text}: write {option} table.column{separator}…")
    return before, after


def _renamed(text: str) -> tuple[str, str]:
    """The two names of a rename. Values of an enumeration may hold a colon: the second one begins like the first."""
    import re

    value = re.fullmatch(r"(?P<old>(?P<place>\w+\.\w+)\..+):(?P<new>(?P=place)\..+)", text, re.DOTALL)
    return (value["old"], value["new"]) if value else _pair(text, ":", "--rename")


def _asked(old: Shape, new: Shape, answers: Answers) -> Answers:
    """Adds the answers that the user gives at the terminal. Raises `StartupError` if there is no terminal."""
    from dataclasses import replace

    from sternpost.migrations.planner import rename_questions

    while questions := rename_questions(old, new, answers):
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            _refuse(questions, "It may have been renamed. Please answer:")
        question = questions[0]
        choices = [*question.candidates, "dropped"]
        out.print(f"{shown(question.about)} is no longer in the contract. What happened to it?")
        for number, choice in enumerate(choices, start=1):
            out.print(f"  {number}  {shown(choice)}")
        answer: int = typer.prompt("Number", type=int)
        if not 1 <= answer <= len(choices):
            continue
        if answer == len(choices):
            answers = replace(answers, dropped=answers.dropped | {question.about})
        else:
            answers = replace(answers, renames={**answers.renames, question.about: choices[answer - 1]})
    return answers


def _refuse(questions: Sequence[Question], heading: str = "Answer these questions first:") -> None:
    if questions:
        raise StartupError(heading + "".join(f"\n  - {question.text}" for question in questions))


def _refuse_ahead(application: Sternpost, history: History) -> None:
    from sternpost.app.migrating import fingerprints_of

    head = history.head
    if head is not None and head.fingerprints != fingerprints_of(application.plan):
        raise StartupError("The contract has changes without a migration: run sternpost migrate plan")


def _refuse_lint(history: History, runner: Runner) -> None:
    from sternpost.migrations.lint import lint

    if runner.migrator.name != "postgresql":
        return
    for revision in history.after(runner.state().revision):
        try:
            found = lint(runner.migrator, revision.up)
        except FileNotFoundError as error:
            raise StartupError(str(error)) from error
        if found:
            raise StartupError(f"squawk on {revision.name}:" + "".join(f"\n  - {text}" for text in found))


def _print_lint(steps: Sequence[Any]) -> None:
    from sternpost.app.migrating import migrator_of
    from sternpost.migrations.lint import lint

    try:
        found = lint(migrator_of("postgresql:"), steps)
    except FileNotFoundError as error:
        out.print(f"[yellow]{shown_lines(str(error))}[/]")
        return
    for text in found:
        out.print(f"  [yellow]squawk[/] {shown_lines(text)}")
    if not found:
        out.print("  [dim]squawk reports nothing for PostgreSQL[/]")


def _report(done: str, names: list[str]) -> None:
    for name in names:
        out.print(f"[green bold]{done}[/] {shown(name)}")
    if not names:
        out.print("[green bold]up to date[/]: nothing to do")


def _command(unfinished: Any) -> str:
    return "apply" if unfinished.direction == "up" else "down"
