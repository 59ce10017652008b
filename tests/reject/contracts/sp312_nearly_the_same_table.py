"""The two sides of many-to-many relations name tables that are meant to be the same."""

from __future__ import annotations

from sternpost import Contract, Many, Read, Resource, many, public


class Post(Resource, prefix="pst"):
    title: str
    tags: Many[Tag] = many(through="post_tags")
    readers: Many[Person] = many(through="readers_posts")
    likes: Many[Person] = many(through="likes")
    read = Read(allow=public)


class Tag(Resource, prefix="tag"):
    name: str
    posts: Many[Post] = many(through="posts_tags")
    read = Read(allow=public)


class Person(Resource, prefix="per"):
    name: str
    posts: Many[Post] = many(through="post_readers")
    written: Many[Post] = many(through="authorship")
    liked: Many[Post] = many(through="likes")
    read = Read(allow=public)


contract = Contract("blog", resources=[Post, Tag, Person])
