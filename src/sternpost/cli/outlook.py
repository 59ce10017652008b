"""What a change of the contract means for the development database: looked at in a fresh process, told as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sternpost.errors import StartupError

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost
    from sternpost.migrations.history import History
    from sternpost.migrations.planner import Answers
    from sternpost.migrations.runner import Runner, State
    from sternpost.ports.schema import Shape

BASELINE = Path(".sternpost/schema")
"""Keeps, as a migration, the schema that was made directly: what a first change is planned from."""

Situation = Literal["ready", "create", "set aside", "migrate", "question", "unclear"]
"""It can be served; its tables are to be made; the old ones are of nobody's knowledge and are kept under another name;
there are steps to be applied; something has to be answered first; no steps can be planned without an answer that is
SQL."""


@dataclass(frozen=True)
class Outlook:
    """What there is to do before the contract can be served.

    Attributes:
        wrote: the files that were written because of the change.
        folder: the migrations'.
        begins: whether the history begins with what is in `BASELINE`.
        plans: whether a migration has to be written.
        steps: title and what it destroys, of each step.
        about, candidates: the question.
        problems: what is unclear.
    """

    situation: Situation
    wrote: tuple[str, ...] = ()
    folder: str = ""
    begins: bool = False
    plans: bool = False
    steps: tuple[tuple[str, str | None], ...] = ()
    about: str = ""
    candidates: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def look(application: Sternpost, history: History, answers: Answers) -> Outlook:
    """Compares the contract with the migrations, and those with the database of the application's settings."""
    from sternpost.app.migrating import is_current, runner_of

    plan = application.plan
    if plan.external:
        return Outlook("ready")
    runner = runner_of(plan, history, application.settings.database_url.get_secret_value())
    state = runner.state()
    if history.revisions:
        pending = _pending(runner, state)
        return _planned(application, history, answers, pending, plans=not is_current(history, plan))
    if not state.serves or _fits(application, runner, state.serves):
        _keep_baseline(application)
        return Outlook("ready" if state.serves else "create")
    from sternpost.migrations.history import History, read_history

    kept = read_history(BASELINE)
    if kept.head is None or kept.head.fingerprints[runner.migrator.name] not in state.serves:
        return Outlook("set aside")
    begun = History(history.folder, kept.revisions)
    return _planned(application, begun, answers, (), plans=True, begins=True)


def _fits(application: Sternpost, runner: Runner, serves: tuple[str, ...]) -> bool:
    from sternpost.app.migrating import fingerprints_of

    return fingerprints_of(application.plan)[runner.migrator.name] in {
        runner.known.get(fingerprint, fingerprint) for fingerprint in serves
    }


def _pending(runner: Runner, state: State) -> tuple[Any, ...]:
    """The steps of migrations that the database does not have yet."""
    count = runner.place(state) if state.direct else runner.history.position(state.revision)
    return tuple(step for revision in runner.history.revisions[count:] for step in revision.up)


def _planned(
    application: Sternpost,
    history: History,
    answers: Answers,
    pending: tuple[Any, ...],
    *,
    plans: bool,
    begins: bool = False,
) -> Outlook:
    """The steps from the database to the contract, as far as they can be planned."""
    from sternpost.app.migrating import shape_of
    from sternpost.migrations.planner import plan_steps, rename_questions

    steps = list(pending)
    if plans:
        old, new = history.shape(), shape_of(application.plan)
        for question in rename_questions(old, new, answers):
            return Outlook("question", about=question.about, candidates=question.candidates)
        up, unclear = plan_steps(old, new, answers)
        if unclear:
            return Outlook("unclear", problems=tuple(question.text for question in unclear))
        steps += up
    told = tuple((step.title, step.loses) for step in steps)
    if not told and not plans:
        return Outlook("ready")
    return Outlook("migrate", folder=str(history.folder), begins=begins, plans=plans, steps=told)


def _keep_baseline(application: Sternpost) -> None:
    """Writes down the schema of the database, which is made from this contract."""
    from sternpost.app.migrating import fingerprints_of, is_current, shape_of
    from sternpost.migrations.history import History, read_history, write_revision
    from sternpost.migrations.planner import Answers, plan_steps

    if is_current(read_history(BASELINE), application.plan):
        return
    empty: Shape = {}
    shape = shape_of(application.plan)
    for path in BASELINE.glob("*.py"):
        path.unlink()
    write_revision(
        History(BASELINE, ()),
        title="create the schema",
        fingerprints=fingerprints_of(application.plan),
        up=plan_steps(empty, shape, Answers())[0],
        down=plan_steps(shape, empty, Answers())[0],
    )


def write_types(name: str) -> tuple[Sternpost, tuple[str, ...]]:
    """Loads the application, and writes the data client's types if they are of an earlier contract; what it wrote."""
    from sternpost.app.loading import data_file, load_application
    from sternpost.derive.typed_data import typed_data

    path = data_file()
    application = load_application(name, writing=path)
    if path is None:
        return application, ()
    source = typed_data(application.compiled)
    try:
        if path.is_file() and path.read_text(encoding="utf-8") == source:
            return application, ()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}") from error
    return application, (str(path),)
