"""Databases behind the storage port: what SQL drivers share in `sql`, and a small sibling for each database."""
