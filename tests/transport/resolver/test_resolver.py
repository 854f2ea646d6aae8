"""Where a URI leads: what of it counts, and what its silence means; what is remembered, and for how long (RFC 3263 §4)."""

import asyncio
from collections import Counter

import pytest

from ringback.address import Endpoint, Target
from ringback.message.errors import SipParseError
from ringback.testing import Names, run
from ringback.transport.resolver import Resolver
from ringback.transport.resolver.records import Srv
from tests.transport.resolver.asking import resolve

UDP = Endpoint("UDP", "192.0.2.9", 5060)


def test_a_numeric_host_is_known_at_once() -> None:
    resolver = Resolver()
    assert resolver.known("sip:bob@192.0.2.1", 0.0) == [Target("UDP", "192.0.2.1", 5060)]
    assert resolver.known("sip:bob@192.0.2.1:5070;transport=tcp", 0.0) == [Target("TCP", "192.0.2.1", 5070)]
    assert resolver.known("sip:bob@example.com;maddr=192.0.2.2", 0.0) == [Target("UDP", "192.0.2.2", 5060)]
    assert resolver.known("sip:bob@example.com", 0.0) is None


def test_where_udp_is_not_spoken_a_uri_without_transport_means_another() -> None:
    """RFC 3263 §4.1: the client selects among the transports it has; what the URI names still counts."""
    resolver = Resolver()
    resolver.speak([Endpoint("TCP", "192.0.2.9", 5060)])
    assert resolver.known("sip:bob@192.0.2.1", 0.0) == [Target("TCP", "192.0.2.1", 5060)]
    assert resolver.known("sip:bob@192.0.2.1;transport=udp", 0.0) == [Target("UDP", "192.0.2.1", 5060)]
    assert resolver.known("sips:bob@192.0.2.1", 0.0) == [Target("TLS", "192.0.2.1", 5061, domain="192.0.2.1")]


def test_udp_is_preferred_where_it_is_spoken() -> None:
    resolver = Resolver()
    resolver.speak([Endpoint("TCP", "192.0.2.9", 5060), Endpoint("UDP", "192.0.2.9", 5060)])
    assert resolver.known("sip:bob@192.0.2.1", 0.0) == [Target("UDP", "192.0.2.1", 5060)]


def test_what_is_no_sip_uri_leads_nowhere() -> None:
    resolver = Resolver(Names())
    for text in ("tel:+4930123", "mailto:bob@example.com", "sip:", "sip:bob@example.com:99999"):
        with pytest.raises(SipParseError):
            resolver.known(text, 0.0)


def test_who_has_one_server_is_asked_for_once_while_its_ttl_lasts() -> None:
    async def main() -> None:
        names = Names()
        names.ttl = 60.0
        names.add("_sip._udp.example.com", Srv(0, 0, 5070, "one.example.com"))
        names.add("one.example.com", "192.0.2.1")
        resolver = Resolver(names)
        resolver.speak([UDP])
        assert await resolve(resolver, "sip:ann@example.com") == [Target("UDP", "192.0.2.1", 5070)]
        asked = len(names.asked)
        # Another user of the domain is no new question.
        assert await resolve(resolver, "sip:bob@example.com") == [Target("UDP", "192.0.2.1", 5070)]
        await asyncio.sleep(29)
        assert resolver.known("sip:ann@example.com", asyncio.get_running_loop().time()) == [Target("UDP", "192.0.2.1", 5070)]
        assert len(names.asked) == asked
        # That it has no NAPTR record is looked at again after half a minute.
        await asyncio.sleep(2)
        assert resolver.known("sip:ann@example.com", asyncio.get_running_loop().time()) is None
        await resolve(resolver, "sip:ann@example.com")
        assert len(names.asked) == 2 * asked

    run(main())


def test_who_asks_while_a_question_is_under_way_shares_its_answer() -> None:
    async def main() -> None:
        names = Names()
        names.add("example.com", "192.0.2.1")
        resolver = Resolver(names)
        resolver.speak([UDP])
        found = await asyncio.gather(*[resolve(resolver, f"sip:{number}@example.com") for number in range(5)])
        assert found == [[Target("UDP", "192.0.2.1", 5060)]] * 5
        assert names.asked == ["NAPTR example.com", "SRV _sip._udp.example.com", "A example.com"]

    run(main())


def test_weights_are_drawn_anew_for_each_request() -> None:
    async def main() -> None:
        names = Names()
        names.add("_sip._udp.example.com", Srv(0, 30, 5060, "one.example.com"), Srv(0, 10, 5060, "two.example.com"))
        names.add("one.example.com", "192.0.2.1")
        names.add("two.example.com", "192.0.2.2")
        resolver = Resolver(names)
        resolver.speak([UDP])
        first = Counter([(await resolve(resolver, "sip:ann@example.com"))[0].host for _ in range(400)])
        assert 250 < first["192.0.2.1"] < 350
        assert first["192.0.2.2"] == 400 - first["192.0.2.1"]

    run(main())


def test_a_server_that_failed_comes_last_for_half_a_minute() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        names = Names()
        names.add("_sip._udp.example.com", Srv(0, 0, 5060, "one.example.com"), Srv(1, 0, 5060, "two.example.com"))
        names.add("one.example.com", "192.0.2.1")
        names.add("two.example.com", "192.0.2.2")
        resolver = Resolver(names)
        resolver.speak([UDP])
        one, two = await resolve(resolver, "sip:ann@example.com;transport=udp")
        resolver.failed(one, loop.time())
        assert await resolve(resolver, "sip:ann@example.com;transport=udp") == [two, one]
        assert resolver.rest(one, loop.time()) is None
        resolver.failed(two, loop.time(), retry_after=10.0)
        assert await resolve(resolver, "sip:ann@example.com;transport=udp") == [two, one]
        assert resolver.rest(two, loop.time()) == pytest.approx(10.0)
        resolver.succeeded(one)
        assert await resolve(resolver, "sip:ann@example.com;transport=udp") == [one, two]
        resolver.failed(one, loop.time())
        await asyncio.sleep(30.0)
        assert await resolve(resolver, "sip:ann@example.com;transport=udp") == [one, two]
        assert resolver.rest(two, loop.time()) is None

    run(main())


def test_the_operator_hears_of_a_server_that_fails_once() -> None:
    said: list[str] = []
    resolver = Resolver(Names(), report=said.append)
    one, two = Target("UDP", "192.0.2.1", 5060), Target("TLS", "2001:db8::1", 5061, domain="example.com")
    for now in (0.0, 10.0, 20.0):
        resolver.failed(one, now)
    resolver.failed(two, 20.0, 5)
    resolver.failed(one, 51.0)
    silent = "UDP 192.0.2.1:5060 has failed: other servers come first for a while"
    resting = "TLS [2001:db8::1]:5061 asks to be left alone for 5 s: other servers come first for a while"
    assert said == [silent, resting, silent]


def test_the_stateless_choice_depends_on_the_records_and_the_key_alone() -> None:
    """RFC 3263 §4.4: retransmissions go to the same server, whatever failed meanwhile; keys are spread by weight."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        names = Names()
        hosts = [f"{number}.example.com" for number in range(4)]
        names.add("_sip._udp.example.com", *[Srv(0, 10, 5060, host) for host in hosts], Srv(1, 10, 5060, "spare.example.com"))
        for number, host in enumerate([*hosts, "spare.example.com"]):
            names.add(host, f"192.0.2.{number}")
        one = Resolver(names)
        other = Resolver(names)
        uri = "sip:ann@example.com"
        assert one.stable(uri, "key", loop.time()) is None
        chosen: Counter[str] = Counter()
        for resolver in (one, other):
            resolver.speak([UDP])
            await resolve(resolver, uri)
        for number in range(400):
            first = one.stable(uri, f"key {number}", loop.time())
            assert first is not None
            assert first == other.stable(uri, f"key {number}", loop.time())
            one.failed(first[0], loop.time())
            assert first == one.stable(uri, f"key {number}", loop.time())
            assert first[-1].host == "192.0.2.4"
            chosen[first[0].host] += 1
        assert sorted(chosen) == ["192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
        assert min(chosen.values()) > 60

    run(main())


def test_what_has_run_out_stands_in_while_nobody_answers() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        names = Names()
        names.ttl = 20.0
        names.add("example.com", "192.0.2.1")
        resolver = Resolver(names)
        resolver.speak([UDP])
        uri = "sip:ann@example.com:5060"
        targets = await resolve(resolver, uri)
        names.silent.add("example.com")
        await asyncio.sleep(21)
        asked_at = loop.time()
        assert await resolve(resolver, uri) == targets
        # Who asks waits for less than two seconds, and for five seconds after the failure nobody does.
        assert loop.time() - asked_at < 2.0
        await asyncio.sleep(asked_at + 6 - loop.time())
        assert resolver.known(uri, loop.time()) == targets
        # A day later it is no use any more.
        await asyncio.sleep(80_000)
        assert await resolve(resolver, uri) == targets
        loop.ends_at = 200_000  # type: ignore[attr-defined]  # a SimulatedTimeLoop
        await asyncio.sleep(10_000)
        assert await resolve(resolver, uri) == []
        names.silent.clear()
        await asyncio.sleep(6)
        assert await resolve(resolver, uri) == targets

    run(main())


def test_names_made_up_in_masses_are_not_all_asked_for() -> None:
    async def main() -> None:
        names = Names()
        resolver = Resolver(names)
        found = await asyncio.gather(*[resolve(resolver, f"sip:ann@{number}.example.com:5060") for number in range(1500)])
        assert found == [[]] * 1500
        assert len(names.asked) == 1000
        assert await resolve(resolver, "sip:ann@1400.example.com:5060") == []
        assert len(names.asked) == 1001

    run(main())


def test_a_resolver_that_is_closed_asks_no_more() -> None:
    async def main() -> None:
        names = Names()
        resolver = Resolver(names)
        called: list[object] = []
        resolver.ask("sip:ann@example.com", called.append)
        await asyncio.sleep(0)
        resolver.close()
        await asyncio.sleep(1)
        assert called == []

    run(main())
