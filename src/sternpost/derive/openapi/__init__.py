"""OpenAPI 3.1 of a plan."""
