"""Verifies bearer tokens."""
