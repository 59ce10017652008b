"""PostgreSQL through asyncpg: prepared statements on held connections."""
