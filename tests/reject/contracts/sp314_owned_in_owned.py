"""Marks that belong to the pages of a book, which belong to the book."""

from __future__ import annotations

from sternpost import Contract, Create, Many, One, Owned, Resource, authenticated, many


class Book(Resource, prefix="boo"):
    pages: Owned[Page]

    create = Create(allow=authenticated)


class Page(Resource, prefix="pag"):
    book: One[Book]
    number: int
    marks: Owned[Mark]
    topics: Many[Topic] = many(through="page_topic")


class Mark(Resource, prefix="mar"):
    sheet: One[Page]
    text: str


class Topic(Resource, prefix="top"):
    name: str


contract = Contract("library", resources=[Book, Page, Mark, Topic])
