"""Who a user agent is, and whom it calls: what From and To say, and what not."""

import pytest

from ringback.agent.identity import Identity, who


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
