"""Which of a host's addresses is tried first (RFC 6724, RFC 7984)."""

import pytest

from ringback.transport.resolver.preference import EVERYWHERE, credible, preferred, source

V4, V6, LOCAL, LINK, LOOP4, LOOP6 = "192.0.2.1", "2001:db8::1", "fd00::1", "fe80::1", "127.0.0.1", "::1"


@pytest.mark.parametrize(
    ("addresses", "ours", "order"),
    [
        ([V4, V6], [V4, V6], [V6, V4]),
        ([V4, LOCAL, V6], [V4, V6, LOCAL], [V6, V4, LOCAL]),
        ([V6, V4], [V4, LOOP6, LINK], [V4, V6]),
        ([LOOP4, LOOP6], [LOOP4, LOOP6], [LOOP6, LOOP4]),
        ([V6, LOOP4], [LOOP4, LOOP6], [LOOP4, V6]),
        (["192.0.2.9", "192.0.2.1", "198.51.100.1"], ["192.0.2.2"], ["192.0.2.9", "192.0.2.1", "198.51.100.1"]),
        (["2001:db8::9", "2001:db8::1"], [], ["2001:db8::9", "2001:db8::1"]),
    ],
)
def test_order(addresses: list[str], ours: list[str], order: list[str]) -> None:
    assert preferred(addresses, {source(host) for host in ours}) == order


def test_who_has_not_said_what_he_has_is_taken_to_have_everything() -> None:
    assert preferred([V4, V6], EVERYWHERE) == [V6, V4]


def test_who_is_on_the_network_is_not_led_to_his_own_machine_by_a_stranger() -> None:
    near = [LOOP4, LOOP6, LINK, "169.254.169.254", "::ffff:127.0.0.1"]
    assert credible([*near, V4, "10.0.0.1"], {source("192.0.2.7"), source(LOOP4)}) == [V4, "10.0.0.1"]
    # Who is alone with himself may talk to himself.
    assert credible([LOOP4, LOOP6, V4], {source(LOOP4), source(LOOP6)}) == [LOOP4, LOOP6, V4]
