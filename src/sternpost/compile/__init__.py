"""Contract → plan. The only place that sees both; it reports every mistake of a contract at once."""
