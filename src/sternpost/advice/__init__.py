"""Advice for a described service: API style, caching, rate limits, patterns of messages."""
