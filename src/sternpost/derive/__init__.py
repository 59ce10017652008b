"""What is made from a plan: OpenAPI, the data client's types, the differences between two plans, files to review."""
