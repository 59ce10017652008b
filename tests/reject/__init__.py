"""Contracts that must not compile, each with the text that says why."""
