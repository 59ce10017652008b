"""The schema that tables are created in: the first of the search path, which may not exist yet."""

from __future__ import annotations

CREATE_FIRST_SCHEMA = r"""
DO $$
DECLARE
    wanted text;
BEGIN
    IF current_schema() IS NULL THEN
        SELECT CASE name WHEN '$user' THEN current_user ELSE name END INTO wanted
        FROM (
            SELECT (parse_ident(found.part[1]))[1] AS name, place
            FROM regexp_matches(current_setting('search_path'), '("(?:[^"]|"")*"|[^,\s]+)', 'g')
                WITH ORDINALITY AS found (part, place)
        ) AS path
        ORDER BY name = '$user', place
        LIMIT 1;
        IF wanted IS NOT NULL THEN
            EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', wanted);
        END IF;
    END IF;
END
$$
"""
"""Creates the first schema that the search path names, if none of them exists; `?options=-csearch_path=app` in an
address asks for it. The user's own is only the last choice: by default it comes first and is not there."""
