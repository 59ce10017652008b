"""The command `sternpost`."""
