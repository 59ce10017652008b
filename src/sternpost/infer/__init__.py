"""Writes a contract from the tables of an external database."""
