"""Writes a contract from the tables of an existing database."""
