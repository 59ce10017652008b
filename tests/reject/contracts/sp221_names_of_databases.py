"""Columns that PostgreSQL has already, or whose names it would cut."""

from __future__ import annotations

from sternpost import Contract, One, Resource, field


class Word(Resource, prefix="wor"):
    xmin: int
    old: int = field(column="ctid")
    a_name_that_is_longer_than_the_sixty_three_characters_of_a_column: int
    a_reference_that_is_longer_than_the_sixty_three_characters_with: One[Word] | None


contract = Contract("words", resources=[Word])
