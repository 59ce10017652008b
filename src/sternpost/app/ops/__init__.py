"""The ops port: what those who run a service ask it, and tell it, beside its API."""
