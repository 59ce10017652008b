"""What authors write: resources, fields, relations, operations and policies. They are checked in `compile`."""
