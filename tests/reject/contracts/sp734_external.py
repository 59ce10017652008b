"""Events of somebody else's tables, kept for ever."""

from __future__ import annotations

from sternpost import Contract, Create, Resource, public


class Album(Resource, prefix="alb"):
    title: str

    create = Create(allow=public, emits="album.created")


contract = Contract("music", schema="external", resources=[Album], keep_events=None)
