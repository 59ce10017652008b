"""What all SQL drivers share: tables, statements, policies as SQL. Each driver brings a dialect and connections."""
