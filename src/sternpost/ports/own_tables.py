"""The tables beside those of the contract in which Sternpost keeps what it knows of a schema. A module of its own,
because a service that is served needs nothing else of the migrations."""

VERSION_TABLE = "alembic_version"
"""Holds the name of the last migration, where there are migrations."""

SCHEMA_TABLE = "sternpost_schema"
"""Holds the fingerprint of the contract that the schema was made for."""

PROGRESS_TABLE = "sternpost_migration"
"""Holds how far a migration came that is not finished."""

IDEMPOTENCY_TABLE = "sternpost_idempotency"
"""Holds the keys of changes, each with what was answered."""

OUTBOX_TABLE = "sternpost_outbox"
"""Holds events, each written in the transaction of the change that it tells of."""
