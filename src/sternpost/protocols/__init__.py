"""Protocols: each turns what arrives into a `Call`, and an `Answer` into bytes. They do not know of each other."""
