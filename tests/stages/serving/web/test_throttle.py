"""Limits per address."""

import pytest

from stages.serving.web.settings import Limits
from stages.serving.web.throttle import Throttle, network


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_requests_over_the_rate_wait_for_their_turn_and_the_rest_is_refused():
    clock = Clock()
    throttle = Throttle(Limits(requests_per_s=10.0, delay_s=0.3), clock)
    waits = [round(throttle.wait_s("a"), 3) for _ in range(12)]
    assert waits == [0, 0, 0, 0, 0, 0, 0.1, 0.2, 0.3, -1, -1, -1]  # a burst of half a second
    assert throttle.wait_s("b") == 0
    clock.now_s += 0.2
    assert throttle.wait_s("a") == pytest.approx(0.2)
    clock.now_s += 60
    assert [throttle.wait_s("a") for _ in range(5)] == [0] * 5


def test_connections_are_counted_per_address():
    throttle = Throttle(Limits(per_address=2), Clock())
    throttle.opened("a")
    throttle.opened("a")
    throttle.opened("b")
    assert throttle.is_full("a") and not throttle.is_full("b") and throttle.connections == 3
    throttle.closed("a")
    throttle.closed("b")
    assert not throttle.is_full("a") and throttle.connections == 1


def test_many_addresses_do_not_fill_the_memory():
    throttle = Throttle(Limits(), Clock())
    for number in range(10_000):
        throttle.wait_s(str(number))
    assert len(throttle._free_s) <= 4096


@pytest.mark.parametrize(
    ("address", "viewer"),
    [
        ("192.168.1.2", "192.168.1.2"),
        ("::ffff:192.168.1.2", "192.168.1.2"),
        ("::1", "::1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_viewer_is_its_network(address, viewer):
    assert network(address) == viewer
