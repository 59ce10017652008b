"""Everything observable: one observation a request, from which each sink reads. The sink so far: log lines."""
