"""`sternpost advise`: what it prints in both forms, what it asks, what it refuses, and stubs that compile."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path
from typing import Any

import orjson
import pytest

from sternpost.advice.design import SECTION, design_factors
from sternpost.advice.topics import TABLES, Topic
from tests.support.commands import Shell

COLOR = re.compile(r"\x1b\[[0-9;]*m")
RULE = """
from sternpost import Browse, Contract, Resource, Sternpost, authenticated
{imports}


class Item(Resource, prefix="itm"):
    name: str

    browse = Browse(allow=authenticated, {argument})


app = Sternpost(Contract("items", resources=[Item], {argument}))
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, "sqlite:///none.sqlite")


def piped(shell: Shell, *arguments: str) -> str:
    done = shell("advise", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def data(shell: Shell, *arguments: str) -> dict[str, Any]:
    return orjson.loads(piped(shell, *arguments, "--json"))


def rows(printed: str) -> list[list[str]]:
    """The cells of each line."""
    return [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]


def checked(shell: Shell, source: str) -> None:
    """Compiles a contract as authors do."""
    (shell.folder / "stub.py").write_text(source, encoding="utf-8")
    done = shell("contract", "check", "stub:app")
    assert done.returncode == 0, done.stdout + done.stderr


def test_verdicts_reasons_and_what_follows(shell: Shell) -> None:
    printed = piped(shell, "api", "--public-api", "--simple-crud", "--no-subscriptions")
    lines = rows(printed)
    assert lines[:4] == [
        ["choice", "verdict", "points", "today"],
        ["REST", "recommended", "4", "there"],
        ["GraphQL", "possible", "0", "planned"],
        ["gRPC", "discouraged", "-3", "planned"],
    ]
    assert [
        "gRPC",
        "public-api",
        "poor (tooling) (-2)",
        "Browsers need a proxy, and callers need generated clients.",
    ] in lines
    assert "not the case: subscriptions\n" in printed
    assert "not described: different-data-needs, service-to-service, low-bandwidth\n" in printed
    assert "not served yet" not in printed, "REST is"
    assert printed.endswith(f"{SECTION}\nsimple-crud = true\nsubscriptions = false\npublic-api = true\n")
    assert "\x1b" not in printed


def test_the_section_that_is_printed_is_read(shell: Shell) -> None:
    printed = piped(shell, "api", "--low-bandwidth", "--no-public-api")
    (shell.folder / "pyproject.toml").write_text(SECTION + printed.partition(SECTION)[2], encoding="utf-8")
    assert design_factors(shell.folder) == {"low-bandwidth": True, "public-api": False}


def test_what_is_recommended_and_not_served_is_told(shell: Shell) -> None:
    printed = piped(shell, "api", "--subscriptions")
    assert "GraphQL and gRPC tie. What was described does not decide between them.\n" in printed
    assert "GraphQL: GraphQL is not served yet. What is served today is REST.\n" in printed
    assert "gRPC: gRPC is not served yet. What is served today is REST.\n" in printed
    assert "import" not in printed, "there is no stub"


@pytest.mark.parametrize(
    ("topic", "flag", "title"),
    [("caching", "--transparent", "read-through"), ("messages", "--keep-failed", "dead letter")],
)
def test_what_is_planned_is_told_and_has_no_stub(topic: str, flag: str, title: str, shell: Shell) -> None:
    printed = piped(shell, topic, flag)
    assert re.search(rf"^{title}: A declaration for .* is planned\. ", printed, re.MULTILINE)
    assert "import" not in printed


def test_caching_has_a_plan_for_invalidation(shell: Shell) -> None:
    assert "write-behind: Invalidation: " in piped(shell, "caching", "--high-write-throughput")


@pytest.mark.parametrize("topic", TABLES)
def test_every_stub_in_the_tables_compiles(topic: Topic, shell: Shell) -> None:
    stubs = [choice.stub for choice in TABLES[topic].choices if choice.stub is not None]
    assert bool(stubs) == (topic in ("api", "limits"))
    for stub in stubs:
        checked(
            shell,
            RULE.format(imports=stub.imports, argument=stub.code) if stub.argument else f"{stub.imports}\n{stub.code}",
        )


def test_the_contract_that_is_printed_compiles(shell: Shell) -> None:
    printed = piped(shell, "api", "--simple-crud")
    checked(shell, printed.partition("# REST, a contract to start from\n")[2].partition("\n# ")[0])


def test_the_limits_that_are_printed_compile(shell: Shell) -> None:
    printed = piped(shell, "limits", "--low-memory", "--public-api", "--controlled-bursts", "--strict-control")
    found = re.findall(r"^# .+\n(from sternpost import (\w+))\n(limit=\2\(.*\))$", printed, re.MULTILINE)
    assert [name for _, name, _ in found] == ["token_bucket"]
    tied = piped(shell, "limits", "--public-api", "--controlled-bursts")
    found += re.findall(r"^# .+\n(from sternpost import (\w+))\n(limit=\2\(.*\))$", tied, re.MULTILINE)
    assert [name for _, name, _ in found] == ["token_bucket", "sliding_window", "token_bucket"]
    assert tied.count("The numbers are examples") == 1
    for imports, _, argument in found:
        checked(shell, RULE.format(imports=imports, argument=argument))


def test_json(shell: Shell) -> None:
    found = data(shell, "api", "--public-api", "--no-low-bandwidth")
    assert found["describedBy"] == "flags"
    assert found["recommended"] == ["rest"]
    assert found["factors"] == {"public-api": True, "low-bandwidth": False}
    assert found["design"] == f"{SECTION}\npublic-api = true\nlow-bandwidth = false\n"
    assert [choice["choice"] for choice in found["choices"]] == ["rest", "graphql", "grpc"]
    assert found["choices"][0]["stub"]["argument"] is False
    assert "design" not in data(shell, "limits", "--smooth")


def test_the_order_of_flags_does_not_matter(shell: Shell) -> None:
    flags = ("--public-api", "--smooth", "--no-low-memory", "--controlled-bursts")
    assert len({piped(shell, "limits", *order) for order in list(permutations(flags))[::5]}) == 1


@pytest.mark.parametrize("topic", TABLES)
def test_nothing_is_cut_or_wider_than_80_columns(topic: Topic, shell: Shell) -> None:
    """With every factor, so that every row of the table is there."""
    flags = [f"--{factor.name}" for factor in TABLES[topic].factors]
    printed = COLOR.sub("", shell.in_terminal("advise", topic, *flags, columns=80)).replace("\r\n", "\n")
    tables = printed.split("\n\n")[:2]
    assert max(len(line) for table in tables for line in table.splitlines()) <= 80
    assert "…" not in "".join(tables)
    words = {*"".join(tables).split()}
    for factor in TABLES[topic].factors:
        assert factor.name in words
        for says in factor.says:
            assert {*says.text.split(), *says.because.split()} <= words


def test_without_flags_a_terminal_is_asked(shell: Shell) -> None:
    typed = "y\n\n\nn\n\ny\n"
    printed = COLOR.sub("", shell.in_terminal("advise", "api", typed=typed)).replace("\r\n", "\n")
    for factor in TABLES["api"].factors:
        assert f"{factor.question} [y/N]: " in printed
    assert "not the case: simple-crud, subscriptions, service-to-service, public-api\n" in printed
    assert "not described" not in printed
    assert re.search(r"^ GraphQL +recommended +4 ", printed, re.MULTILINE)
    assert "low-bandwidth = true" in printed


@pytest.mark.parametrize("topic", TABLES)
def test_without_flags_and_terminal_the_flags_are_named(topic: Topic, shell: Shell) -> None:
    told = shell.refusal("advise", topic)
    assert told.startswith("error: Nothing describes the service. Give --")
    assert [factor.name for factor in TABLES[topic].factors if f"--{factor.name}" not in told] == []
    assert (SECTION in told) == (topic == "api")


def test_an_unknown_flag_is_refused(shell: Shell) -> None:
    assert "--cheap" in shell.refusal("advise", "api", "--cheap")


def test_without_flags_the_project_describes_itself(shell: Shell) -> None:
    (shell.folder / "pyproject.toml").write_text(f"{SECTION}\nservice-to-service = true\n", encoding="utf-8")
    printed = piped(shell, "api")
    assert printed.startswith(f"{SECTION} in pyproject.toml describes the service.\n")
    assert "gRPC: gRPC is not served yet" in printed
    assert printed.count(SECTION) == 1, "it is there already"
    found = data(shell, "api")
    assert (found["describedBy"], found["factors"]) == ("pyproject.toml", {"service-to-service": True})
    flags = data(shell, "api", "--public-api")
    assert (flags["describedBy"], flags["factors"]) == ("flags", {"public-api": True})
    assert "Nothing describes" in shell.refusal("advise", "limits"), "the section is about the style alone"


def test_a_wrong_section_is_refused(shell: Shell) -> None:
    (shell.folder / "pyproject.toml").write_text(f'{SECTION}\n"cheap\\u001b[2J" = true\n', encoding="utf-8")
    told = shell.refusal("advise", "api")
    assert "has no key 'cheap" in told
    assert "low-bandwidth" in told
    assert "\x1b" not in told
