"""A small shop: the example that the tutorial builds and the tests use."""
