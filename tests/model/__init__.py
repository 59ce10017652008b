"""The net: random contracts and operations, on both databases, against a model that is written from the documentation."""
