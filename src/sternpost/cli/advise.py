"""`sternpost advise`: advice for a service that flags, answers or pyproject.toml describe, with reasons and a stub."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sternpost.advice.design import SECTION, design_block, design_factors
from sternpost.advice.model import Advice, Choice, Standing
from sternpost.advice.topics import TABLES, Topic, advise
from sternpost.cli.output import out, print_json, print_plain, shown
from sternpost.errors import StartupError

advise_cli = typer.Typer(
    help="Advise on API style, caching, rate limits and messages, with reasons.", no_args_is_help=True
)

_COLORS: dict[Standing, str] = {
    "recommended": "green bold",
    "possible": "cyan",
    "undecided": "dim",
    "discouraged": "yellow",
}
_ASKS = "questions are asked in a terminal."
_HELP: dict[Topic, str] = {
    "api": "Advise on the API style: REST, GraphQL or gRPC. Without flags, pyproject.toml describes the service "
    f"(tool.sternpost.design), or {_ASKS}",
    "caching": "Advise on the caching strategy: cache-aside, write-through, write-behind or read-through. "
    f"Without flags, {_ASKS}",
    "limits": "Advise on the algorithm of rate limits: fixed window, sliding window, token bucket or leaky bucket. "
    f"Without flags, {_ASKS}",
    "messages": "Advise on patterns of messages: publish/subscribe, work queue, request/reply or dead letter. "
    f"Without flags, {_ASKS}",
}


def _command(topic: Topic) -> Callable[..., None]:
    """The command for a table. Its flags are the table's factors, so that none is missing."""
    table = TABLES[topic]

    def run(as_json: bool, **flags: bool | None) -> None:
        given = {factor.name: flags[_parameter(factor.name)] for factor in table.factors}
        factors, origin = _described(topic, {name: value for name, value in given.items() if value is not None})
        advice = advise(topic, factors)
        if as_json:
            design = {"design": design_block(factors)} if topic == "api" else {}
            print_json({**advice.as_data(), "describedBy": origin, **design}, indented=True)
        else:
            _print(advice, origin)

    parameters = [
        Parameter(
            _parameter(factor.name),
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                bool | None,
                typer.Option(f"--{factor.name}/--no-{factor.name}", help=factor.question, show_default=False),
            ],
        )
        for factor in table.factors
    ]
    as_json = Annotated[bool, typer.Option("--json", help="Print JSON")]
    parameters.append(Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=as_json))
    run.__signature__ = Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]  (typer reads it)
    return run


def _parameter(factor: str) -> str:
    return factor.replace("-", "_")


def _described(topic: Topic, flags: dict[str, bool]) -> tuple[dict[str, bool], str]:
    """The factors, and what they are from: flags, else pyproject.toml, else answers.

    Raises:
        StartupError: nothing describes the service, and nobody can be asked.
    """
    if flags:
        return flags, "flags"
    design = design_factors(Path()) if topic == "api" else {}
    if design:
        return design, "pyproject.toml"
    table = TABLES[topic]
    if sys.stdin.isatty() and sys.stdout.isatty():
        return {factor.name: typer.confirm(factor.question, default=False) for factor in table.factors}, "answers"
    names = ", ".join(f"--{factor.name}" for factor in table.factors)
    elsewhere = f", write {SECTION} in pyproject.toml," if topic == "api" else ""
    raise StartupError(
        f"Nothing describes the service. Give {names} (--no-… for what is not the case){elsewhere} "
        "or run the command in a terminal, which asks"
    )


def _print(advice: Advice, origin: str) -> None:
    if origin == "pyproject.toml":
        out.print(f"{shown(SECTION)} in pyproject.toml describes the service.")
    if origin != "flags":
        out.print()
    _print_verdicts(advice)
    _print_reasons(advice)
    out.print()
    for heading, names in (
        ("not the case", [name for name, holds in advice.described if not holds]),
        ("not described", advice.not_described),
    ):
        if names:
            out.print(f"[bold]{heading}:[/] {shown(', '.join(names))}")
    if advice.remark:
        out.print(f"[yellow]{shown(advice.remark)}[/]")
    _print_what_follows(advice.recommended)
    if advice.topic == "api" and origin != "pyproject.toml":
        out.print("\n[dim]# to keep this description, in pyproject.toml[/]")
        print_plain(design_block(dict(advice.described)))


def _print_verdicts(advice: Advice) -> None:
    tells = any(verdict.choice.known_for for verdict in advice.verdicts)
    table = Table("choice", "verdict", "points", "today", *(["known for"] if tells else []), box=None)
    for verdict in advice.verdicts:
        choice = verdict.choice
        table.add_row(
            f"[bold]{shown(choice.title)}[/]",
            f"[{_COLORS[verdict.standing]}]{verdict.standing}[/]",
            str(verdict.points),
            "there" if choice.planned is None else "planned",
            *([shown(choice.known_for)] if tells else []),
        )
    _print_table(table, names=4)


def _print_reasons(advice: Advice) -> None:
    table = Table("choice", "factor", "says", "because", box=None)
    for verdict in advice.verdicts:
        for reason in verdict.reasons:
            said = f"{reason.says.text} ({reason.says.fit:+d})"
            table.add_row(*map(shown, (verdict.choice.title, reason.factor, said, reason.says.because)))
    if table.row_count:
        out.print()
        _print_table(table, names=2)


def _print_table(table: Table, *, names: int) -> None:
    """Where the terminal is narrow, sentences are wrapped, and the names in the first columns are not."""
    for column in table.columns[:names]:
        column.no_wrap = True
    out.table(table)


def _print_what_follows(recommended: tuple[Choice, ...]) -> None:
    """What there is of the recommended choices today, what belongs to them, and their stubs."""
    _print_once("yellow", [(choice.title, choice.today) for choice in recommended])
    _print_once("bold", [(choice.title, choice.note) for choice in recommended])
    for choice in recommended:
        if choice.stub is not None:
            what = (
                "an argument of Contract(…) or of an operation" if choice.stub.argument else "a contract to start from"
            )
            out.print(f"\n[dim]# {shown(choice.title)}, {what}[/]")
            between = "\n" if choice.stub.argument else "\n\n\n"
            print_plain(f"{choice.stub.imports}{between}{choice.stub.code.rstrip()}\n")


def _print_once(style: str, said: list[tuple[str, str]]) -> None:
    """Each text with the titles that it is about."""
    for text in dict.fromkeys(text for _, text in said if text):
        titles = ", ".join(title for title, each in said if each == text)
        out.print(f"\n[{style}]{shown(titles)}:[/] {shown(text)}")


for _topic, _help in _HELP.items():
    advise_cli.command(_topic, help=_help)(_command(_topic))
