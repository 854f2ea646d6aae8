"""Aliases and static routes of the configuration (RFC 3261 §16.5)."""

from collections.abc import Sequence

import pytest

from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.server.config import RouteConfig
from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location
from ringback.server.proxy.routing import Forward, Gateway, Redirect, Reject
from ringback.server.targets.retargeting import Retargeting
from tests.server.party import DOMAIN, House, simulated


def decided(uri: str, routes: Sequence[RouteConfig] = (), aliases: dict[str, list[str] | str] | None = None) -> object:
    request = parse_datagram(INVITE.replace("URI", uri).encode())
    assert isinstance(request, Request), request
    location = Location(clock=lambda: 0.0)
    return Retargeting(Domains([DOMAIN, "example.org"]), location, Gruus(b"key"), aliases or {}, routes).decision(request)


def shown(decision: object) -> str:
    return repr(decision)


INVITE = (
    "INVITE URI SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: 1\r\n"
    "CSeq: 1 INVITE\r\n\r\n"
)
TRUNK = RouteConfig(prefix="00", strip=2, prepend="+", to=["sip:{user}@192.0.2.7"])


@pytest.mark.parametrize(
    ("route", "uri", "targets"),
    [
        (TRUNK, "sip:0049301@example.com", "Forward(sip:+49301@192.0.2.7)"),
        (TRUNK, "sip:049301@example.com", "Reject(404, 'Not Found')"),
        (
            RouteConfig(pattern="9XX", to=["sip:{user}@a.example", "tel:+49{user}"]),
            "sip:911@example.com",
            "Forward(sip:911@a.example, tel:+49911)",
        ),
        (RouteConfig(prefix="+49", to=["sip:{user}@192.0.2.7"]), "tel:+49-30(1)", "Forward(sip:+49301@192.0.2.7)"),
        (RouteConfig(user="a b", to=["sip:x@192.0.2.7"]), "sip:a%20b@example.com", "Forward(sip:x@192.0.2.7)"),
        (RouteConfig(prefix="", to=["sip:{user}@192.0.2.7"]), "sip:a%20b@example.com", "Forward(sip:a%20b@192.0.2.7)"),
        (RouteConfig(prefix="1", domain="example.org", reject=403), "sip:1@example.org", "Reject(403, 'Forbidden')"),
        (RouteConfig(prefix="1", domain="example.org", reject=403), "sip:1@example.com", "Reject(404, 'Not Found')"),
        (RouteConfig(prefix="1", methods=["message"], reject=403), "sip:1@example.com", "Reject(404, 'Not Found')"),
        (RouteConfig(user="x", redirect=["sip:y@example.net"]), "sip:x@example.com", "Redirect(sip:y@example.net, status=302)"),
        (RouteConfig(user="x", to=["tel:{user}"]), "sip:x@example.com", "Reject(480, 'Temporarily Unavailable')"),
    ],
)
def test_the_route_that_a_number_takes(route: RouteConfig, uri: str, targets: str) -> None:
    assert shown(decided(uri, [route])) == targets


def test_the_first_route_that_fits_counts() -> None:
    routes = [RouteConfig(prefix="01", reject=403), RouteConfig(prefix="0", reject=410)]
    assert shown(decided("sip:012@example.com", routes)).startswith("Reject(403")
    assert shown(decided("sip:02@example.com", routes)).startswith("Reject(410")


def test_a_gateway_with_somebody_to_fall_back_to() -> None:
    route = RouteConfig(prefix="0", gateway="pstn", ring_for=30, else_to=["sip:operator@192.0.2.9"])
    decision = decided("sip:030@example.com", [route])
    assert isinstance(decision, Gateway)
    assert (decision.name, decision.ring_for, shown(decision.else_)) == ("pstn", 30, "Forward(sip:operator@192.0.2.9)")


def test_what_was_asked_for_as_sips_leads_nowhere_else() -> None:
    aliases: dict[str, list[str] | str] = {"x": ["sip:plain@example.net", "sips:safe@example.net"]}
    assert shown(decided("sips:x@example.com", aliases=aliases)) == "Forward(sips:safe@example.net)"
    assert shown(decided("sips:y@example.com", aliases={"y": "sip:plain@example.net"})).startswith("Reject(480")


@pytest.mark.parametrize(
    ("aliases", "decision"),
    [
        ({"x@example.com": "sip:a@192.0.2.1", "x": "sip:b@192.0.2.1"}, "Forward(sip:a@192.0.2.1)"),
        ({"x@example.org": "sip:a@192.0.2.1", "x": "sip:b@192.0.2.1"}, "Forward(sip:b@192.0.2.1)"),
        ({"x": "sip:y@example.com", "y": "sip:c@192.0.2.1"}, "Forward(sip:c@192.0.2.1)"),
        ({"x": "sip:y@example.com", "y": "sip:x@example.com"}, "Reject(482, 'Alias Loop')"),
        ({"x": "sip:x@example.com"}, "Reject(482, 'Alias Loop')"),
        ({"y": "sip:x@example.com"}, "Reject(404, 'Not Found')"),
    ],
)
def test_an_alias_is_another_name(aliases: dict[str, list[str] | str], decision: str) -> None:
    assert shown(decided("sip:x@example.com", aliases=aliases)) == decision


def test_a_telephone_number_in_an_alias_takes_its_route() -> None:
    pstn = RouteConfig(prefix="+", to=["sip:{user}@192.0.2.7"])
    assert shown(decided("sip:x@example.com", [pstn], {"x": "tel:+49-30-1"})) == "Forward(sip:+49301@192.0.2.7)"
    assert shown(decided("sip:x@example.com", [], {"x": "tel:+49-30-1"})) == "Reject(404, 'Not Found')"


def test_only_what_is_served_has_aliases_and_routes() -> None:
    assert isinstance(decided("sip:x@example.net", [RouteConfig(prefix="", to=["sip:a@192.0.2.1"])], {"x": "sip:b@192.0.2.1"}), Reject)
    assert not isinstance(decided("sip:x@example.com", [RouteConfig(prefix="", to=["sip:a@192.0.2.1"])]), Redirect)
    assert isinstance(decided("sip:x@example.com", [RouteConfig(prefix="", to=["sip:a@192.0.2.1"])]), Forward)


@simulated
async def test_a_group_rings_together_and_a_stranger_with_it() -> None:
    async with House(aliases={"sales": [f"sip:bob@{DOMAIN}", f"sip:carol@{DOMAIN}", "sip:dave@192.0.2.9"]}) as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        carol, dave = await house.party("carol", q=1.0), await house.party("dave", "192.0.2.9")
        invite = alice.ask("INVITE", f"sip:sales@{DOMAIN}")
        await alice.hears("100 INVITE")
        rung = [(phone, await phone.hears("INVITE")) for phone in (bob, carol, dave)]
        for phone, copy in rung:
            phone.reply(copy, 486)
            await phone.hears("ACK")
        alice.ack(invite, await alice.hears("486 INVITE"))


@simulated
async def test_a_number_goes_out_by_its_route() -> None:
    async with House(route=[TRUNK]) as house:
        alice, trunk = await house.party("alice"), await house.party("trunk", "192.0.2.7")
        await house.call(alice, trunk, f"sip:0049301@{DOMAIN}")
        assert trunk.heard[0].message.uri_text == "sip:+49301@192.0.2.7"  # type: ignore[union-attr]  # a request
