"""The index of words in PostgreSQL: a column `tsvector` that a trigger fills in, and a GIN index over it.

Words are made by a function of our own, not by PostgreSQL's parser: that sees addresses, numbers and hyphens in a text,
and letters as the locale of the database has them. A lexeme begins with the letter of its field.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import BindParameter, ColumnElement, FromClause, cast, column

from sternpost.plan.words import SEARCHED_CHARACTERS_MAX, TEXT_MAX, Folded, folds, letters
from sternpost.ports.schema import Search
from sternpost.storage.sql.checks import literal
from sternpost.storage.sql.dialect import ColumnType

COLUMN = "_words"
"""No field has such a name."""

FUNCTION = "sternpost_words"
"""Makes the words of several texts."""

TRIGGER_FUNCTION = "sternpost_words_kept"
_C = 'COLLATE "C"'
_BLOCKS = (0x100, 0x250, 0x400, 0x530, 0x1E00, 0x1F00, 0x110000)
"""Where blocks of letters end. `translate` goes through its whole list for each character, so that only the lists of
those blocks are used of which the text has capital letters."""


class PostgresqlSearch:
    """Its part of the dialect."""

    def create(self, table: str, search: Search) -> list[str]:
        return [*self.start(table, search), self.index(table, search)]

    def start(self, table: str, search: Search) -> list[str]:
        """The statements from which on new rows have their words."""
        listed = ", ".join(f'"{name}"' for name in search.columns)
        return [
            _function(),
            _trigger_function(),
            f'ALTER TABLE "{table}" ADD COLUMN "{COLUMN}" tsvector',
            f'CREATE TRIGGER "{search.name}" BEFORE INSERT OR UPDATE OF {listed} ON "{table}"\n'
            f"FOR EACH ROW EXECUTE FUNCTION {TRIGGER_FUNCTION}({', '.join(map(literal, search.columns))})",
        ]

    def words(self, search: Search) -> str:
        """The words of a row, as SQL."""
        listed = ", ".join(f'"{name}"' for name in search.columns)
        return f"{FUNCTION}({listed})"

    def index(self, table: str, search: Search, *, concurrently: bool = False) -> str:
        """The statement that makes the index."""
        return f'CREATE INDEX {"CONCURRENTLY " * concurrently}"{search.name}" ON "{table}" USING gin ("{COLUMN}")'

    def drop(self, table: str, name: str) -> list[str]:
        return [
            f'DROP TRIGGER IF EXISTS "{name}" ON "{table}"',
            f'ALTER TABLE "{table}" DROP COLUMN IF EXISTS "{COLUMN}"',  # its index goes along
        ]

    def every(self, words: Sequence[str], numbers: Sequence[int]) -> str:
        return " & ".join(_term(word, numbers, whole=False) for word in words)

    def one(
        self, words: Sequence[str], place: int, numbers: Sequence[int], among: Sequence[int], *, whole: bool
    ) -> str:
        return _term(words[place], numbers, whole=whole)

    def found(self, table: FromClause, name: str, asked: BindParameter[str]) -> ColumnElement[bool]:
        words: ColumnElement[bool] = column(COLUMN, _selectable=table)
        return words.op("@@", is_comparison=True)(cast(asked, ColumnType("TSQUERY")))


def _term(word: str, numbers: Sequence[int], *, whole: bool) -> str:
    """A word of letters and digits alone, so that nothing in it has to be escaped."""
    ending = "" if whole else ":*"
    return "(" + " | ".join(f"'{_letter(number)}{word}'{ending}" for number in numbers) + ")"


def _letter(number: int) -> str:
    return chr(ord("a") + number)


def _function() -> str:
    """Runs of what is no letter become spaces, and each word gets the letter of its field.

    Words are cut where no search is as long: PostgreSQL refuses those of more than 2 kB, and more than 1 MB of a row's.
    The function names nothing but what every database has, and depends on no locale, so that its result stays the same
    in dumps and on replicas.
    """
    others = f"[^{_class(letters())}]+"
    return f"""CREATE OR REPLACE FUNCTION {FUNCTION}(VARIADIC texts text[]) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    found text[] := '{{}}';
    room integer := {SEARCHED_CHARACTERS_MAX};
    t text;
BEGIN
    FOR number IN 1 .. cardinality(texts) LOOP
        CONTINUE WHEN texts[number] IS NULL;
        t := lower(left(texts[number], room) {_C});
        room := room - length(t);
        IF t ~ ('[^\\u0001-\\u007f]' {_C}) THEN
{_translations()}
            t := regexp_replace(t, '{others}' {_C}, ' ', 'g');
        ELSE
            t := regexp_replace(t, '[^0-9a-z]+' {_C}, ' ', 'g');
        END IF;
        t := btrim(regexp_replace(t, '([^ ]{{{TEXT_MAX + 1}}})[^ ]+' {_C}, '\\1', 'g'));
        CONTINUE WHEN t = '';
        found := found || string_to_array(chr(96 + number) || replace(t, ' ', ' ' || chr(96 + number)), ' ');
    END LOOP;
    RETURN array_to_tsvector(found);
END $$"""


def _translations() -> str:
    lines: list[str] = []
    start = 0x80
    for end in _BLOCKS:
        runs = [run for run in folds() if start <= run.first < end]
        codes = [(code, code + run.by) for run in runs for code in run.characters]
        capitals, small = ("".join(chr(pair[at]) for pair in codes) for at in (0, 1))
        ranges = _class((run.first, run.last) for run in _joined(runs))
        lines.append(f"            IF t ~ ('[{ranges}]' {_C}) THEN")
        lines.append(f"                t := translate(t, '{capitals}', '{small}');\n            END IF;")
        start = end
    return "\n".join(lines)


def _joined(runs: Iterable[Folded]) -> list[Folded]:
    """The same with runs that are near each other as one, so that there are few to look for."""
    found: list[Folded] = []
    for run in runs:
        if found and run.first - found[-1].last <= 4:
            found[-1] = Folded(found[-1].first, run.last, 1, 0)
        else:
            found.append(run)
    return found


def _class(ranges: Iterable[tuple[int, int]]) -> str:
    """What stands between the brackets of a pattern, as escapes: whatever the encoding of the file."""

    def shown(code: int) -> str:
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return "".join(shown(first) + (f"-{shown(last)}" if last > first else "") for first, last in ranges)


def _trigger_function() -> str:
    return f"""CREATE OR REPLACE FUNCTION {TRIGGER_FUNCTION}() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    texts text[] := '{{}}';
    new_row jsonb;
BEGIN
    NEW.{COLUMN} := NULL;
    new_row := to_jsonb(NEW);
    FOR number IN 0 .. TG_NARGS - 1 LOOP
        texts := array_append(texts, new_row ->> TG_ARGV[number]);
    END LOOP;
    NEW.{COLUMN} := {FUNCTION}(VARIADIC texts);
    RETURN NEW;
END $$"""
