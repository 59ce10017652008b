"""Writes a contract from the tables of a database that was there before."""
