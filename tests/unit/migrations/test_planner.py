"""Plans between random pairs of contracts, replayed without a database, and what has to be asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sternpost.app.migrating import shape_of
from sternpost.migrations import Check, ForeignKey, Step, Update, sql
from sternpost.migrations.history import is_additive
from sternpost.migrations.planner import Answers, plan_steps, rename_questions, unknown_answers
from sternpost.migrations.replay import replayed
from sternpost.migrations.shape import same
from sternpost.migrations.source import code
from sternpost.ports.schema import Shape
from sternpost.ports.steps import AddIndex, ChangeCheck, ChangeType, DropColumn, DropIndex, DropTable, RenameColumn
from tests.support.contracts import contract_text, plan_of

FIELDS = {
    "label": [
        "str = field(max_length=20)",
        "str | None = None",
        "str = field(max_length=40, filter=True)",
        "str = field(max_length=20, unique=True)",
        "str = field(max_length=40, unique='nocase', filter=True)",
    ],
    "size": ["int = field(ge=0, default=1)", "int | None = None", "float = field(default=1.5)"],
    "price": ["Decimal = field(max_digits=8, decimal_places=2, default=Decimal('1.50'))", "int = field(default=3)"],
    "state": ['Literal["a", "b"] = field(default="a")', 'Literal["a", "b", "c"] = field(default="a", filter=True)'],
    "done": ["bool = field(default=False)", "bool | None = None"],
    "day": ["date | None = None", "datetime | None = None"],
    "first": ["int | None = None"],
    "last": ["int | None = None"],
}
RULES = {
    "checks=[this.first != this.last]": {"first", "last"},
    "checks=[(this.first <= this.last) | this.state.eq('a')]": {"first", "last", "state"},
    "checks=[this.size > 0, check(this.size < 100000, name='small')]": {"size"},
    "no_overlap=[no_overlap('first', 'last')]": {"first", "last"},
    "no_overlap=[no_overlap('label', 'first', 'last')]": {"first", "last", "label"},
    "no_overlap=[no_overlap('state', 'first', 'last', where=this.done != True)]": {"first", "last", "state", "done"},
    "soft_delete=True": set[str](),
}
"""Further keywords of a class line, with the fields that they need."""


@st.composite
def contracts(draw: st.DrawFn) -> str:
    """The text of a small contract: one or two resources with some of the fields."""
    tables: dict[str, dict[str, str]] = {}
    for name in draw(st.sampled_from((("Box",), ("Box", "Crate")))):
        chosen = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, unique=True))
        tables[name] = {field: draw(st.sampled_from(FIELDS[field])) for field in chosen}
    audited = draw(st.sets(st.sampled_from(sorted(tables))))
    rules = {name: draw(_rules(set(fields))) for name, fields in tables.items()}
    return contract_text(tables, linked=draw(st.booleans()), audited=audited, rules=rules)


def _rules(fields: set[str]) -> st.SearchStrategy[str]:
    possible = [rule for rule, needed in RULES.items() if needed <= fields]
    by_keyword = st.lists(st.sampled_from(possible), unique_by=lambda rule: rule.partition("=")[0])
    return by_keyword.map(", ".join)


def answered(old: Shape, new: Shape) -> Answers:
    """Nothing is a rename; what has no default gets something."""
    gone = {name for name in old if name not in new}
    gone |= {f"{t.name}.{c.name}" for t in old.values() for c in t.columns}
    fills = {f"{t.name}.label": "'x'" for t in (*old.values(), *new.values())}
    fills = {name: fill for name, fill in fills.items() if name in _names(old) | _names(new)}
    return Answers(dropped=frozenset(gone), fills=fills)


def _names(shape: Shape) -> set[str]:
    return {f"{table.name}.{column.name}" for table in shape.values() for column in table.columns}


@settings(deadline=None, max_examples=50)
@given(contracts(), contracts())
def test_the_steps_lead_from_any_contract_to_any_other_and_back(before: str, after: str) -> None:
    old, new = shape_of(plan_of(before)), shape_of(plan_of(after))
    answers = answered(old, new)
    up, questions = plan_steps(old, new, answers)
    assert not questions
    assert same(replayed(old, up), new)
    down, questions = plan_steps(new, old, answers)
    assert not questions
    assert same(replayed(new, down), old)


@settings(deadline=None, max_examples=50)
@given(contracts(), contracts())
def test_a_migration_file_says_exactly_its_steps(before: str, after: str) -> None:
    import sternpost.migrations

    old, new = shape_of(plan_of(before)), shape_of(plan_of(after))
    up, _ = plan_steps(old, new, answered(old, new))
    assert eval(code(up), vars(sternpost.migrations)) == up


def shapes(before: str, after: str) -> tuple[Shape, Shape]:
    one, other = ({"Box": {"label": text}} if ":" not in text else _fields(text) for text in (before, after))
    return shape_of(plan_of(contract_text(one))), shape_of(plan_of(contract_text(other)))


def _fields(text: str) -> dict[str, dict[str, str]]:
    pairs = (part.split(":", 1) for part in text.split(";"))
    return {"Box": {name.strip(): rest.strip() for name, rest in pairs}}


def steps(before: str, after: str, answers: Answers | None = None) -> list[Step]:
    found, questions = plan_steps(*shapes(before, after), answers or Answers())
    assert not questions
    return found


def test_a_rename_is_asked_and_never_guessed() -> None:
    old, new = shapes("name: str", "title: str")
    (question,) = rename_questions(old, new, Answers())
    assert (
        question.text
        == "the column boxes.name is no longer in the contract: --rename boxes.name:boxes.title, or --drop boxes.name"
    )
    renamed = Answers(renames={"boxes.name": "boxes.title"})
    assert not rename_questions(old, new, renamed)
    up, _ = plan_steps(old, new, renamed)
    assert up[0] == RenameColumn("boxes", "name", "title")
    assert not any(isinstance(step, DropColumn) for step in up)
    assert not rename_questions(old, new, Answers(dropped=frozenset({"boxes.name"})))


def test_each_table_that_may_have_another_name_is_asked_about() -> None:
    """But none of Sternpost's own, whatever comes and goes with them."""
    old = shape_of(plan_of(contract_text({"Box": {"label": "str"}, "Crate": {"label": "str"}}, audited=["Box"])))
    new = shape_of(plan_of(contract_text({"Crate": {"label": "str"}, "Chest": {"label": "str"}})))
    (question,) = rename_questions(old, new, Answers())
    assert (question.about, question.kind, question.candidates) == ("boxes", "rename", ("chests",))
    assert question.text == ("the table boxes is no longer in the contract: --rename boxes:chests, or --drop boxes")
    assert not rename_questions(old, new, Answers(renames={"boxes": "chests"}))
    assert not rename_questions(old, new, Answers(dropped=frozenset({"boxes"})))
    assert not rename_questions(new, {**new, "trunks": new["chests"]}, Answers())
    assert not rename_questions(old, {"crates": old["crates"]}, Answers())


@pytest.mark.parametrize("linked", [False, True])
def test_what_is_renamed_keeps_its_rows_and_gets_every_name_of_the_contract(linked: bool) -> None:
    fields = "str = field(max_length=40, unique='nocase', filter=True)"
    one = {"Box": {"label": fields, "crate": "One[Crate] = one(filter=True)"}, "Crate": {"size": "int = field(ge=0)"}}
    other = {
        "Bin": {"title": fields, "chest": "One[Chest] = one(filter=True)"},
        "Chest": {"size": one["Crate"]["size"]},
    }
    old, new = (
        shape_of(plan_of(contract_text(fields, linked=linked, audited=[next(iter(fields))]))) for fields in (one, other)
    )
    renames = {"boxes": "bins", "crates": "chests", "bins.label": "bins.title", "bins.crate_id": "bins.chest_id"}
    if linked:
        renames |= {"pairs.box_id": "pairs.bin_id", "pairs.crate_id": "pairs.chest_id"}
    answers = Answers(renames=renames)
    for before, after, told in ((old, new, answers), (new, old, answers.reversed())):
        assert not rename_questions(before, after, told)
        assert not unknown_answers(before, after, told)
        found, questions = plan_steps(before, after, told)
        assert not questions
        assert same(replayed(before, found), after)
        assert [step.loses for step in found if step.loses] == []
        assert not any(isinstance(step, DropTable | DropColumn) for step in found)


def test_answers_about_what_is_not_there_are_refused() -> None:
    old, new = shapes("name: str", "title: str")
    answers = Answers(renames={"boxes.nam": "boxes.title"}, fills={"boxes.x": "1"}, dropped=frozenset({"boxes"}))
    assert unknown_answers(old, new, answers) == [
        "--rename boxes.nam:boxes.title: boxes.nam is still in the contract",
        "--drop boxes: boxes is still in the contract",
        "--fill boxes.x: there is no such column",
    ]


def test_a_rename_to_what_was_there_already_is_refused() -> None:
    old, new = shapes("name: str; size: int", "size: int; title: str")
    assert unknown_answers(old, new, Answers(renames={"boxes.name": "boxes.size"})) == [
        "--rename boxes.name:boxes.size: boxes.size is not new"
    ]
    assert unknown_answers(old, new, Answers(renames={"boxes.size": "boxes.title"})) == [
        "--rename boxes.size:boxes.title: boxes.size is still in the contract"
    ]
    assert unknown_answers(old, new, Answers(conversions={"boxes.none": "1"})) == [
        "--using boxes.none: there is no such column"
    ]
    given = Answers({"boxes.name": "boxes.title"}, frozenset(), {"boxes.name": "''"}, {"boxes.title": "''"})
    assert unknown_answers(old, new, given) == []


def test_another_primary_key_is_written_by_hand() -> None:
    old, _ = shapes("name: str", "name: str")
    box = old["boxes"]
    new = {"boxes": replace(box, primary_key=replace(box.primary_key, columns=("name",)))}
    _, (question,) = plan_steps(old, new, Answers())
    assert question.text == "boxes: changes of a primary key cannot be planned; write the migration by hand"


def test_a_conversion_of_the_authors_own_is_the_one_that_is_done_and_destructive() -> None:
    (change,) = (
        step
        for step in steps("name: str", "name: int", Answers(conversions={"boxes.name": "length(name)"}))
        if isinstance(step, ChangeType)
    )
    assert change.using == sql("length(name)")
    assert change.loses == "column boxes.name: whatever the conversion drops"


def test_a_type_of_the_same_values_is_no_step() -> None:
    found = steps("name: Literal['a', 'b']", "name: str")
    assert not any(isinstance(step, ChangeType) for step in found)


def test_a_rule_on_a_column_of_another_type_is_made_again_and_no_other() -> None:
    """PostgreSQL keeps no rule on a column whose type changes, though it be called and say the same."""
    before = "name: str = field(max_length=9); size: int = field(ge=0); weight: int = field(ge=0)"
    up = steps(before, before.replace("size: int", "size: float"))
    assert [step.title for step in up] == [
        "drop ck_boxes_size from boxes",
        "change the type of boxes.size to number",
        "add ck_boxes_size to boxes",
    ]


def test_a_removed_value_needs_another_for_its_rows() -> None:
    old, new = shapes('state: Literal["a", "it\'s"]', 'state: Literal["a"]')
    _, (question,) = plan_steps(old, new, Answers())
    assert (question.about, question.kind) == ("boxes.state", "fill")
    assert question.text == ("boxes.state no longer allows 'it''s': rows with these need --fill boxes.state=SQL")
    found, questions = plan_steps(old, new, Answers(fills={"boxes.state": "'a'"}))
    assert not questions
    (update,) = (step for step in found if isinstance(step, Update))
    assert update.values == {"state": sql("'a'")}
    assert update.where == sql("\"state\" IN ('it''s')")


def test_a_required_column_without_a_default_is_a_question() -> None:
    old, new = shapes("name: str", "name: str; size: int")
    _, (question,) = plan_steps(old, new, Answers())
    assert question.text == (
        "boxes.size must have a value, but has no default: existing rows need --fill boxes.size=SQL"
    )
    up, questions = plan_steps(old, new, Answers(fills={"boxes.size": "7"}))
    assert not questions
    assert [step.title for step in up] == [
        "add column boxes.size",
        "fill boxes.size in batches of 1000",
        "forbid NULL in boxes.size",
    ]


def test_a_removed_value_of_an_enumeration_is_destructive_and_says_which() -> None:
    up = steps('state: Literal["a", "b", "c"] = field(default="a")', 'state: Literal["a", "b"] = field(default="a")')
    assert [step.loses for step in up if step.loses] == ["the values 'c' of boxes.state"]
    assert any(isinstance(step, Update) and step.where == sql("\"state\" IN ('c')") for step in up)


@pytest.mark.parametrize(
    ("before", "after", "additive"),
    [
        ("name: str", "name: str; note: str | None = None", True),
        ("name: str", "name: str = field(filter=True)", True),
        ("name: str = field(max_length=10)", "name: str = field(max_length=20)", True),
        ("name: str = field(max_length=20)", "name: str = field(max_length=10)", False),
        ("size: int", "size: int | None = None", True),
        ("name: str", "name: str; size: int = field(default=1)", False),
        ("name: str", "name: str = field(unique=True)", False),
    ],
)
def test_which_changes_an_older_process_survives(before: str, after: str, additive: bool) -> None:
    assert is_additive(steps(before, after)) is additive


def test_an_older_process_does_not_survive_that_deleted_rows_stay() -> None:
    """It knows nothing of the column that says so, and would go on showing them."""
    plain = contract_text({"Box": {"label": "str"}})
    soft = plain.replace("class Box(Resource,", "class Box(Resource, soft_delete=True,")
    up, questions = plan_steps(shape_of(plan_of(plain)), shape_of(plan_of(soft)), Answers())
    assert not questions
    assert [step.title for step in up] == ["add column boxes.deleted_at"]
    assert not is_additive(up)


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        ("size: int", "size: str", False),
        ("size: str", "size: int", True),
        ("size: float", "size: int", True),
        ("day: date", "day: datetime", False),
        ("day: datetime", "day: date", True),
    ],
)
def test_a_type_that_holds_less_is_destructive(before: str, after: str, loses: bool) -> None:
    (change,) = (step for step in steps(before, after) if isinstance(step, ChangeType))
    assert bool(change.loses) is loses


def test_dropping_says_what_is_lost() -> None:
    assert DropTable("users").loses == "table users with all its rows"
    assert DropColumn("users", "name").loses == "column users.name with its values"


def test_a_type_change_without_an_obvious_way_is_a_question() -> None:
    old, new = shapes("day: date", "day: bool")
    _, (question,) = plan_steps(old, new, Answers())
    assert question.text == "boxes.day changes from date to boolean: the conversion needs --using boxes.day=SQL"


def test_a_link_table_is_planned_like_any_other() -> None:
    plain = shape_of(plan_of(contract_text({"Box": {"label": "str"}, "Crate": {"label": "str"}})))
    linked = shape_of(plan_of(contract_text({"Box": {"label": "str"}, "Crate": {"label": "str"}}, linked=True)))
    up, _ = plan_steps(plain, linked, Answers())
    (step,) = up
    assert step.title.startswith("create table ")
    keys = [rule for rule in next(t for n, t in linked.items() if n not in plain).rules if isinstance(rule, ForeignKey)]
    assert len(keys) == 2
    assert all(key.name.startswith("fk_") for key in keys)


def test_a_check_of_one_database_alone_is_no_step_on_the_other() -> None:
    new = shape_of(plan_of(contract_text({"Box": {"done": "bool"}})))
    (check,) = (rule for rule in new["boxes"].rules if isinstance(rule, Check))
    assert check.condition.postgresql is None


def test_an_index_and_a_wider_check_are_single_steps() -> None:
    (index,) = steps("name: str", "name: str = field(filter=True)")
    assert isinstance(index, AddIndex)
    (check,) = steps("name: str = field(max_length=10)", "name: str = field(max_length=20)")
    assert isinstance(check, ChangeCheck)
    assert check.wider


@pytest.mark.parametrize(
    "before",
    ["int = field(default=1)", "str | None = None"],
    ids=["another type", "nullable"],
)
def test_a_unique_index_waits_for_a_column_that_changes(before: str) -> None:
    after = "str = field(max_length=20, unique='nocase')"
    found = steps(f"name: {before}", f"name: {after}", Answers(fills={"boxes.name": "'x'"}))
    (index,) = [number for number, step in enumerate(found) if isinstance(step, AddIndex)]
    assert index == len(found) - 1, [step.title for step in found]


def test_a_default_of_every_kind_fills_a_new_column() -> None:
    up = steps("name: str", "name: str; day: date = field(default=date(2026, 1, 31))")
    (update,) = [step for step in up if isinstance(step, Update)]
    assert update.values["day"] == sql("'2026-01-31'")


def test_a_check_of_a_file_says_the_same_as_one_of_a_contract() -> None:
    """A migration file has the condition alone, also one that was written before rules were data."""
    old, new = shapes('state: Literal["a", "b"]', 'state: Literal["a"]')
    (rule,) = [rule for rule in old["boxes"].rules if isinstance(rule, Check)]
    read = eval(code(rule), {"Check": Check, "sql": sql})
    assert read == rule
    assert read.said is None
    assert read.rules == rule.rules
    from_file = {**old, "boxes": replace(old["boxes"], rules=(read,))}
    answers = Answers(fills={"boxes.state": "'a'"})
    assert plan_steps(from_file, new, answers) == plan_steps(old, new, answers)


def test_a_unique_index_is_there_until_the_changed_one_is() -> None:
    """Between two steps values are kept apart by one of them: another process may write meanwhile."""
    _, new = shapes("name: str", "name: str = field(unique='nocase')")
    (index,) = [index for index in new["boxes"].indexes if index.unique]
    old = {"boxes": replace(new["boxes"], indexes=(replace(index, where="name <> ''"),))}
    found, _ = plan_steps(old, new, Answers())
    titles = [step.title for step in found]
    (made,) = [number for number, step in enumerate(found) if isinstance(step, AddIndex)]
    (gone,) = [number for number, step in enumerate(found) if isinstance(step, DropIndex)]
    assert made < gone, titles


@pytest.mark.parametrize("unique", ["True", "'nocase'"])
def test_a_unique_column_is_not_filled_with_one_value(unique: str) -> None:
    """Two rows that exist would clash: what they get has to be said."""
    old, new = shapes("name: str", f"name: str; code: str = field(default='x', unique={unique})")
    steps_found, questions = plan_steps(old, new, Answers())
    assert [(question.about, question.kind) for question in questions] == [("boxes.code", "fill")], steps_found
