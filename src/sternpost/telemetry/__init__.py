"""Observability: one observation per request, which is written as a log line."""
