"""What authors write: resources, fields, relations, operations and policies. Nothing here judges; `compile` does."""
