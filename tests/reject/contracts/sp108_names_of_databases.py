"""Tables named like those of databases, and names that PostgreSQL would cut."""

from __future__ import annotations

from sternpost import Contract, Many, Resource, many


class Word(Resource, prefix="wor", table="sqlite_words"):
    name: str
    marks: Many[Mark] = many(through="pg_marks")


class Mark(Resource, prefix="mar", table="sternpost_marks"):
    name: str


class Excluded(Resource, prefix="exc", table="excluded"):
    name: str


class PgClass(Resource, prefix="pgc"):
    name: str


class LongClassNameThatIsMadeOfManyWordsAndThereforeLongerThanDatabasesTake(Resource, prefix="lon"):
    name: str


contract = Contract("words", resources=[Word, Mark, Excluded, PgClass, LongClassNameThatIsMadeOfManyWordsAndThereforeLongerThanDatabasesTake])
