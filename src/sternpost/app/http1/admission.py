"""How many connections there may be: in all, and from one address."""

from __future__ import annotations

from collections.abc import Sequence

from sternpost.errors import TooManyConnections, Unavailable
from sternpost.networks import UNIX, is_within, limit_address, read_address, read_network


class Admission:
    """Counts the connections of a process.

    Args:
        most: in all.
        of_address: from one address; None for no limit.
        exempt: addresses and networks without that limit: those of proxies, from which everybody comes.
    """

    def __init__(self, most: int, of_address: int | None = None, exempt: Sequence[str] = ()) -> None:
        self.most = most
        self.open = 0
        self._of_address = of_address
        self._exempt = [read_network(each) for each in exempt if each != UNIX]
        self._counts: dict[str, int] = {}

    def enter(self, address: str | None) -> str | None:
        """Counts a connection; by what its address is counted, to be given to `leave`.

        Raises:
            Unavailable: there are as many as there may be.
            TooManyConnections: from this address.
        """
        if self.open >= self.most:
            raise Unavailable("The service has as many connections as it can take", log={"connectionsMax": self.most})
        counted = None
        if self._of_address is not None and address is not None and not self._is_exempt(address):
            counted = limit_address(address)
            count = self._counts.get(counted, 0)
            if count >= self._of_address:
                raise TooManyConnections(log={"address": counted, "connections": count})
            self._counts[counted] = count + 1
        self.open += 1
        return counted

    def leave(self, counted: str | None) -> None:
        """A connection that was counted has ended."""
        self.open -= 1
        if counted is not None:
            left = self._counts[counted] - 1
            if left:
                self._counts[counted] = left
            else:
                del self._counts[counted]

    def _is_exempt(self, address: str) -> bool:
        if not self._exempt:
            return False
        found = read_address(address)
        return found is not None and is_within(found, self._exempt)
