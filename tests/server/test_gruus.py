"""GRUUs as URIs: what one tells, and which bindings it leads to (RFC 5627 §5.4, §6.1)."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.address import Endpoint
from ringback.message.grammar import unquote
from ringback.message.uri import SipUri
from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.location.binding import Binding

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
OTHER = "urn:uuid:00000000-0000-1000-8000-000a95a0e128"
DOMAINS = Domains(["example.com", "example.org"], [Endpoint("UDP", "192.0.2.100", 5070)])


def binding(user: str = "alice", instance: str = URN, *, era: int = 1, domain: str = "example.com") -> Binding:
    return Binding(1, f"sip:{user}@{domain}", "sip:x@192.0.2.1", "", 1.0, 60.0, 60, "c", 1, instance=instance, era=era)


def made(one: Binding, aor: str = "", gruus: Gruus | None = None) -> tuple[str, str]:
    """The public and the temporary GRUU of a binding."""
    user, host = one.aor.removeprefix("sip:").split("@")
    uri = SipUri.parse(aor) if aor else SipUri(host, user=user)
    text = (gruus or Gruus(b"key")).params(uri, one, {})
    public, temporary = text.removeprefix(";pub-gruu=").split(";temp-gruu=")
    return unquote(public), unquote(temporary)


def led_to(uri: str, *bindings: Binding, gruus: Gruus | None = None) -> Sequence[Binding] | None:
    def lookup(aor: str) -> Sequence[Binding]:
        return [one for one in bindings if one.aor == aor]

    return (gruus or Gruus(b"key")).bound(DOMAINS.place(uri), lookup)


def test_a_public_one_is_the_address_of_record_with_the_instance() -> None:
    assert made(binding())[0] == f"sip:alice@example.com;gr={URN}"
    assert made(binding("Jürgen ö"))[0] == f"sip:J%C3%BCrgen%20%C3%B6@example.com;gr={URN}"
    assert made(binding(), f"sips:alice:secret@example.com:5061;transport=tcp;gr={OTHER}")[0] == f"sips:alice@example.com:5061;gr={URN}"
    assert made(binding(instance="urn:example:a b,c"))[0] == "sip:alice@example.com;gr=urn:example:a%20b%2Cc"


@pytest.mark.parametrize("user", ["a", "alice", "twelve chars", "Jürgen ö", "x" * 200, "\udcff"])
def test_a_temporary_one_leads_to_its_user_agent_and_tells_nobody_whose_it_is(user: str) -> None:
    one, other = binding(user), binding(user, OTHER)
    temporary = made(one)[1]
    assert temporary.startswith("sip:tgruu.")
    assert temporary.endswith("@example.com;gr")
    assert len(user) == 1 or user not in temporary
    assert led_to(temporary, other, one, binding("bob")) == [one]


def test_no_two_are_alike_and_nothing_in_them_repeats() -> None:
    users = [SipUri.parse(made(binding())[1]).user or "" for _ in range(100)]
    assert len({user[6:17] for user in users}) == len({user[17:33] for user in users}) == 100
    # Nor does the length tell short names apart.
    assert len({len(made(binding(user))[1]) for user in ("a", "alice", "bob.the.long")}) == 1


def test_a_public_one_leads_to_all_flows_of_its_user_agent_and_to_no_other() -> None:
    one, flow, other = binding(), binding(), binding(instance=OTHER)
    public = made(one)[0]
    assert led_to(public, one, other, flow) == [one, flow]
    assert led_to(public.replace("f81d4fae", "F81D4FAE").replace("gr=", "GR="), one) == [one]
    assert led_to(public, other) == []


@pytest.mark.parametrize(
    "uri",
    [
        "sip:alice@example.com",
        "sip:alice@example.com;gr",
        "sip:alice@example.com;gr=kjh29x97us97d",
        "sip:tgruu.@example.com;gr",
        "sip:tgruu.A@example.com;gr",
        "sip:tgruu.AAAAAAAAAAAAAAAAAAAAAAAA@example.com;gr",
        "sip:tgruu.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@example.com;gr",
        "sip:tgruu.%C3%B6@example.com;gr",
        "sip:tgruu.!!!!@example.com;gr",
        f"sip:tgruu.{'A' * 600}@example.com;gr",
        "sip:example.com;gr",
        "sip:alice@example.net;gr=urn:uuid:1",
        "tel:+1;gr",
    ],
)
def test_what_is_no_gruu_of_ours_leads_nowhere(uri: str) -> None:
    assert led_to(uri, binding()) is None


def test_a_temporary_one_is_good_for_its_era_domain_and_key_only() -> None:
    temporary = made(binding())[1]
    assert led_to(temporary, binding()) is not None
    assert led_to(temporary, binding(era=2)) is None
    assert led_to(temporary) is None
    assert led_to(temporary, binding(), gruus=Gruus(b"another key")) is None
    assert led_to(temporary.replace(".com", ".org"), binding(domain="example.org")) is None
    for index in range(len("sip:tgruu."), temporary.index("@")):
        changed = "B" if temporary[index] == "A" else "A"
        assert led_to(temporary[:index] + changed + temporary[index + 1 :], binding()) is None


def test_the_bindings_of_one_user_agent_share_one_in_an_answer() -> None:
    temporary: dict[str, str] = {}
    gruus = Gruus(b"key")
    texts = [gruus.params(SipUri.parse("sip:alice@example.com"), one, temporary) for one in (binding(), binding(), binding(instance=OTHER))]
    assert texts[0] == texts[1] != texts[2]


def test_where_the_domain_is_an_address_the_port_stays() -> None:
    one = binding()
    public, temporary = made(one, "sip:alice@192.0.2.100:5070")
    assert public == f"sip:alice@192.0.2.100:5070;gr={URN}"
    assert led_to(public, one) == led_to(temporary, one) == [one]


def test_with_a_user_all_of_its_gruus_end() -> None:
    one = binding()
    gruus = Gruus(b"key")
    both = made(one, gruus=gruus)
    assert [led_to(uri, one, gruus=gruus) for uri in both] == [[one], [one]]
    gruus.knows = lambda user, domain: (user, domain) != ("alice", "example.com")
    assert [led_to(uri, one, gruus=gruus) for uri in both] == [None, None]
    gruus.knows = lambda user, domain: (user, domain) == ("alice", "example.com")
    assert [led_to(uri, one, gruus=gruus) for uri in both] == [[one], [one]]


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=80), st.binary(max_size=60))
def test_nothing_that_is_made_up_leads_anywhere(text: str, octets: bytes) -> None:
    one = binding()
    for user in (text, urlsafe_b64encode(octets).decode().rstrip("=")):
        uri = SipUri("example.com", user=f"tgruu.{user}", params={"gr": None})
        assert led_to(str(uri), one) is None


@pytest.mark.parametrize("value", ["urn:", "urn::", "urn:x", "urn:uuid:", "urn:%00:%0a", "urn:uuid:" + "a" * 400])
def test_an_instance_that_nobody_has_is_away(value: str) -> None:
    assert not led_to(f"sip:alice@example.com;gr={value}", binding())
