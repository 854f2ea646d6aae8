"""Whom a client's credentials go to, and whom never (reliability V34: a callee that asks for our password gets nothing)."""

import pytest

from ringback.digest import Account, Accounts
from ringback.message.message import Request
from tests.digest.party import AOR, accounts, challenged, digest, field_of, request, shown, tokens

CALLEE = "sip:bob@203.0.113.9"


def bye(route: str = "") -> Request:
    """A BYE to a callee, who may be anybody."""
    return request("BYE", CALLEE, to="sip:bob@example.org", tag="b1", route=route)


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("realm", ["evil.example.net", "example.com"])
@pytest.mark.parametrize("is_named", [True, False])
def test_a_callee_that_challenges_our_bye_gets_nothing(status: int, realm: str, is_named: bool) -> None:
    """With another realm or with our own."""
    mine = accounts(Account("alice", "secret", "example.com" if is_named else None))
    sent = bye()
    assert not mine.answer(sent, challenged(digest(realm), status=status))
    assert shown(sent, field_of(status)) == []
    assert mine.accounts[0].realm == ("example.com" if is_named else None)


@pytest.mark.parametrize("status", [401, 407])
def test_a_callee_behind_our_proxy_gets_nothing_for_another_realm(status: int) -> None:
    mine = accounts()
    sent = bye("<sip:example.com;lr>")
    assert not mine.answer(sent, challenged(digest("evil.example.net"), status=status))
    assert mine.accounts[0].realm is None


def test_nothing_is_sent_unasked_to_a_callee() -> None:
    mine = accounts()
    assert mine.answer(request("INVITE", "sip:bob@example.com"), challenged(digest(), status=407))
    straight, through_home = bye(), bye("<sip:example.com;lr>")
    mine.prepare(straight)
    mine.prepare(through_home)
    assert (len(shown(straight, "Proxy-Authorization")), len(shown(through_home, "Proxy-Authorization"))) == (0, 1)


def test_the_first_realm_a_home_shows_is_the_only_one() -> None:
    mine = accounts()
    assert mine.answer(request(), challenged(digest("asterisk")))
    assert mine.accounts[0].realm == "asterisk"
    assert not mine.answer(request(), challenged(digest("other.example.net", "n2")))
    assert mine.answer(request(), challenged(digest("asterisk", "n3")))


def test_the_first_realm_may_be_a_proxys() -> None:
    mine = accounts()
    assert mine.answer(request("INVITE", "sip:bob@example.org", route="<sip:example.com;lr>"), challenged(digest("proxy"), status=407))
    assert mine.accounts[0].realm == "proxy"


def test_a_401_from_beyond_our_proxy_gives_no_realm() -> None:
    """Only whom the request is for may answer 401: here it is somebody's phone, at best."""
    mine = accounts()
    sent = request("INVITE", "sip:bob@example.org", to="sip:bob@example.org", route="<sip:example.com;lr>")
    assert not mine.answer(sent, challenged(digest("evil.example.net")))
    assert mine.answer(request("SUBSCRIBE", AOR), challenged(digest("asterisk")))


def test_a_register_through_an_outbound_proxy_gives_the_realm() -> None:
    mine = accounts(homes=["sbc.example.net"])
    assert mine.answer(request(uri="sip:example.com", route="<sip:sbc.example.net;lr>"), challenged(digest("asterisk")))


def test_an_answer_not_given_gives_no_realm() -> None:
    mine = accounts(Account("alice", "secret", minimum="SHA-256"))
    assert not mine.answer(request(), challenged(digest("asterisk", algorithm="MD5")))
    assert mine.accounts[0].realm is None


def test_a_named_realm_without_homes_is_answered_wherever_it_is_shown() -> None:
    mine = Accounts([Account("alice", "secret", "example.com")], tokens())
    assert not mine.trusts("example.com")
    assert not mine.answer(bye(), challenged(digest("evil.example.net"), status=407))
    sent = request("INVITE", "sip:conference@example.org")
    assert mine.answer(sent, challenged(digest("example.com"), status=407))
    assert mine.answer(Request("OPTIONS", "tel:+15551234"), challenged(digest("example.com")))


def test_each_account_may_have_its_own_homes() -> None:
    """One provider cannot ask for the other's password."""
    mine = accounts(
        Account("alice", "secret", "a.example", homes=["a.example"]), Account("alice", "other", "b.example", homes=["b.example"]), homes=()
    )
    assert mine.trusts("A.example") and mine.trusts("b.example.") and not mine.trusts("c.example") and not mine.trusts(None)
    assert not mine.answer(request(uri="sip:b.example"), challenged(digest("a.example")))
    assert mine.answer(request(uri="sip:b.example"), challenged(digest("b.example")))


def test_an_address_of_a_home_can_be_named_later() -> None:
    mine = accounts()
    assert mine.answer(request(), challenged(digest()))
    sent = bye("<sip:192.0.2.1;lr>")
    assert not mine.answer(sent, challenged(digest(), status=407))
    mine.trust("192.0.2.1")
    assert mine.answer(sent, challenged(digest(), status=407))


def test_the_caller_may_know_better_where_a_request_goes() -> None:
    mine = accounts()
    sent = Request("REGISTER", "sip:example.com", [("To", f"<{AOR}>")])
    assert not mine.answer(sent, challenged(digest()), origin="203.0.113.9")
    assert mine.answer(sent, challenged(digest()), origin="example.com")
    later = Request("REGISTER", "sip:example.com", [("To", f"<{AOR}>")])
    mine.prepare(later, origin="203.0.113.9")
    assert shown(later) == []
    mine.prepare(later, origin="Example.com.")
    assert len(shown(later)) == 1


def test_a_request_that_goes_nobody_knows_where_bears_no_credentials() -> None:
    mine = accounts()
    assert not mine.answer(Request("OPTIONS", "tel:+15551234"), challenged(digest()))
    assert not mine.answer(Request("OPTIONS", "sip:"), challenged(digest()))


def test_an_evil_server_that_always_has_a_new_nonce_gets_two_answers() -> None:
    """Endless re-authentication (AST-2020-002): one answer, one more for a stale nonce."""
    for stale, most in (("", 1), ("true", 2)):
        mine = accounts()
        sent = request()
        answers = 0
        while answers < 50 and mine.answer(sent, challenged(digest(nonce=f"n{answers}", stale=stale))):
            answers += 1
        assert answers == most
