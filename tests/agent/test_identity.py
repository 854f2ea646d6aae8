"""Who a user agent is, and whom it calls: what From and To say, and what not."""

import pytest

from ringback import Request
from ringback.address import Endpoint
from ringback.agent.identity import Identity, wants_sips, who


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("sip:bob@example.com", "sip:bob@example.com"),
        ("sip:bob@example.com:5070;transport=tcp;lr;maddr=192.0.2.1;ttl=3;method=INVITE?Subject=x", "sip:bob@example.com"),
        ("sips:+49301234@example.com;user=phone", "sips:+49301234@example.com;user=phone"),
        ("tel:+49301234;phone-context=x", "tel:+49301234;phone-context=x"),
        ("not a URI", "not a URI"),
    ],
)
def test_from_and_to_say_who_and_not_where(uri: str, named: str) -> None:
    """RFC 3261 §19.1.1, table 1."""
    assert who(uri) == named


def test_an_identity_is_written_so_too() -> None:
    assert Identity("sip:bob@example.com:5070;transport=tcp", "Bob").address == "Bob <sip:bob@example.com>"


def test_an_identity_is_a_sip_uri() -> None:
    with pytest.raises(ValueError, match="not a SIP address-of-record"):
        Identity("tel:+49301234")


@pytest.mark.parametrize(
    ("uri", "fields", "ours", "theirs"),
    [
        ("sip:bob@example.com", [], False, False),
        ("sips:bob@example.com", [], True, True),
        ("sip:bob@example.com", [("Route", "<sips:proxy.example.com;lr>")], True, False),
        ("sip:bob@example.com", [("Route", "<sip:a;lr>, <sips:b;lr>")], False, False),
        ("sip:bob@example.com", [("Contact", "<sips:alice@example.com>")], False, True),
        ("sip:bob@example.com", [("Contact", "SIPS:alice@example.com")], False, True),
        ("sip:bob@example.com", [("Record-Route", "<sips:a;lr>"), ("Contact", "<sip:alice@example.com>")], False, True),
        ("sip:bob@example.com", [("Record-Route", "<sip:a;lr>"), ("Contact", "<sips:alice@example.com>")], False, False),
    ],
)
def test_a_request_that_must_be_secure_has_a_sips_contact_beside_it(
    uri: str, fields: list[tuple[str, object]], ours: bool, theirs: bool
) -> None:
    """RFC 3261 §8.1.1.8, §12.1.2 for a request of ours, §12.1.1 for the answer to one of theirs."""
    request = Request("INVITE", uri, fields)
    assert wants_sips(request, "route") is ours
    assert wants_sips(request, "record-route", "contact") is theirs


def test_a_secure_contact_is_a_sips_uri_at_the_same_place() -> None:
    identity = Identity("sip:bob@example.com")
    endpoint = Endpoint("TCP", "192.0.2.1", 5060)
    assert identity.contact(endpoint) == "<sip:bob@192.0.2.1:5060;transport=tcp>"
    assert identity.contact(endpoint, is_secure=True) == "<sips:bob@192.0.2.1:5060;transport=tcp>"
    assert Identity("sips:bob@example.com").contact(endpoint) == "<sips:bob@192.0.2.1:5060;transport=tcp>"


def test_a_sips_identity_is_reached_by_sips_alone() -> None:
    alice = Identity("sips:alice@example.com")
    endpoint = Endpoint("TLS", "192.0.2.1", 5061)
    assert alice.own_contact(endpoint).startswith("<sips:alice@192.0.2.1:5061")
    alice.gruu = "sip:alice@example.com;gr=urn:uuid:1"
    assert alice.contact(endpoint) == alice.own_contact(endpoint), "a GRUU that is not secure is no way to it"
    alice.gruu = "sips:alice@example.com;gr=urn:uuid:1"
    assert alice.contact(endpoint) == "<sips:alice@example.com;gr=urn:uuid:1>"
