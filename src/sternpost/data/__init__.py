"""The data client: typed reads and writes of a contract's rows for services, scripts and tests."""
