"""SQLite: the default, with no server. WAL, one writer, concurrent readers, STRICT tables, foreign keys on."""
