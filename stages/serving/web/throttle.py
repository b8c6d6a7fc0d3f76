"""Limits what one address may use: connections, and requests per second.

Requests that come too fast are delayed, not refused, so that a fast client costs little and still gets
its answers. Only what would wait too long is refused.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from stages.serving.web.settings import Limits

_BURST_S = 0.5  # requests of this time may come at once
_MOST_ADDRESSES = 4096


class Throttle:
    """Counts per address. An IPv6 address stands for its network of 64 bits, which one machine owns."""

    def __init__(self, limits: Limits, clock_s: Callable[[], float]) -> None:
        self._limits, self._clock_s = limits, clock_s
        self._connections: Counter[str] = Counter()
        self._free_s: OrderedDict[str, float] = OrderedDict()  # address -> when its next turn is

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return sum(self._connections.values())

    def is_full(self, address: str) -> bool:
        """Return whether another connection of this address would be too many."""
        return self._connections[address] >= self._limits.per_address

    def opened(self, address: str) -> None:
        """Count a connection."""
        self._connections[address] += 1

    def closed(self, address: str) -> None:
        """Count a connection no longer."""
        self._connections[address] -= 1
        if self._connections[address] <= 0:
            del self._connections[address]

    def wait_s(self, address: str) -> float:
        """Take a turn, and return how long the request must wait for it; -1: too long, no turn taken."""
        now_s = self._clock_s()
        step_s = 1.0 / self._limits.requests_per_s
        turn_s = max(self._free_s.get(address, 0.0), now_s - _BURST_S)
        if turn_s - now_s > self._limits.delay_s:
            return -1.0
        self._free_s[address] = turn_s + step_s
        self._free_s.move_to_end(address)
        while len(self._free_s) > _MOST_ADDRESSES:
            self._free_s.popitem(last=False)
        return max(0.0, turn_s - now_s)


def network(address: str) -> str:
    """Return what counts as one viewer: an IPv4 address, or 64 bits of an IPv6 address."""
    if address.startswith("::ffff:"):  # IPv4 on a socket for both
        return address[7:]
    if ":" not in address or address == "::1":
        return address
    import ipaddress

    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
