"""For tests of services: a client that calls an application in this process, without a port."""

from sternpost.testing.client import Client, Response

__all__ = ["Client", "Response"]
