"""What a transaction keeps, and for how long."""

import sys

import pytest

from ringback.address import Endpoint, Flow
from ringback.message.derive import cancel_of, response_to
from ringback.transaction.transaction import ClientTransaction, ServerTransaction, head_of
from tests.transaction.party import PEER_HOST, Party, our_request, request, response


def test_a_server_transactions_request_can_be_read_again_stamped() -> None:
    party = Party()
    received = request(sent_by="10.0.0.1", via_params=";rport", body="v=0\r\n")
    transaction = party.serve(received, party.from_(PEER_HOST, 40_000))
    party.answer(transaction, 180)
    again = transaction.request
    assert again.body == b"v=0\r\n"
    assert (again.via.received, again.via.rport) == (PEER_HOST, 40_000)


def test_the_request_of_a_transaction_that_answers_to_a_group_was_stamped_with_its_own_source() -> None:
    party = Party()
    group = Flow(Endpoint("UDP", "224.0.1.75", 5060), (PEER_HOST, 5060))
    transaction = party.serve(request(sent_by="10.0.0.1:5060", via_params=";maddr=224.0.1.75"), group)
    assert transaction.flow.host == "224.0.1.75"
    assert transaction.request.via.received == PEER_HOST


@pytest.mark.parametrize(("method", "status"), [("INVITE", 200), ("INVITE", 486), ("OPTIONS", 200)])
def test_a_server_transaction_that_has_answered_keeps_no_request(method: str, status: int) -> None:
    party = Party()
    transaction = party.serve(request(method))
    party.answer(transaction, status)
    with pytest.raises(LookupError, match="no longer kept"):
        transaction.request  # noqa: B018
    assert bool(transaction.response) == (transaction.state == "Completed")


def test_a_confirmed_invite_keeps_nothing() -> None:
    party = Party()
    transaction = party.serve(request())
    party.answer(transaction, 486)
    party.hear(request("ACK", to_tag="tt"))
    assert transaction.octets == transaction.response == b""


def test_an_invite_in_proceeding_keeps_the_head_for_cancel_and_ack() -> None:
    party = Party()
    transaction = party.ask(our_request(extra="Route: <sip:p.example.com;lr>\n", body="v=0\r\n" * 50))
    assert transaction.request.body == b"v=0\r\n" * 50
    party.hear(response("INVITE", 180))
    assert transaction.request.body == b""
    assert transaction.request.headers.text("Content-Length") == "0"
    cancel = cancel_of(transaction.request)
    assert cancel.headers.texts("Route") == ["<sip:p.example.com;lr>"]
    party.hear(response("INVITE", 486))
    assert transaction.request.method == "ACK"


@pytest.mark.parametrize(("method", "status"), [("INVITE", 200), ("OPTIONS", 200)])
def test_an_answered_client_transaction_keeps_no_request(method: str, status: int) -> None:
    party = Party()
    transaction = party.ask(our_request(method))
    party.hear(response(method, status))
    with pytest.raises(LookupError, match="no longer kept"):
        transaction.request  # noqa: B018


def test_a_transaction_that_ends_quietly_lets_its_user_go() -> None:
    party = Party()
    transaction = party.ask(our_request("OPTIONS"), "user")
    party.hear(response("OPTIONS", 200))
    assert transaction.user == "user"
    party.pass_time(5)
    assert transaction.is_terminated
    assert transaction.user is None


def test_the_event_that_ends_a_transaction_still_finds_its_user() -> None:
    party = Party("TCP")
    transaction = party.ask(our_request("OPTIONS", transport="TCP"), "user")
    assert len(party.hear(response("OPTIONS", 200))) == 1
    assert transaction.is_terminated
    assert transaction.user == "user"


def test_a_request_with_wider_bounds_than_the_default_can_be_read_again() -> None:
    party = Party()
    received = request(extra="".join(f"X-{n}: {'x' * 100}\n" for n in range(200)))
    for n in range(100):
        received.headers.append(f"Y-{n}", "y" * 1000)
    party.layer.receive(received, party.flow, 0.0, received.to_bytes())
    [event] = party.layer.take_events()
    assert isinstance(event.transaction, ServerTransaction)
    assert event.transaction.request.headers.text("Y-99") == "y" * 1000


def test_octets_that_are_no_request_are_a_lookup_error() -> None:
    party = Party()
    party.layer.receive(request(), party.flow, 0.0, b"nonsense")
    [event] = party.layer.take_events()
    assert isinstance(event.transaction, ServerTransaction)
    with pytest.raises(LookupError):
        event.transaction.request  # noqa: B018


@pytest.mark.parametrize(
    ("octets", "head"),
    [
        (b"A\r\nContent-Length: 12\r\nB: c\r\n\r\nbody", b"A\r\nContent-Length: 0\r\nB: c\r\n\r\n"),
        (b"A\r\nB: c\r\nContent-Length: 4\r\n\r\nbody", b"A\r\nB: c\r\nContent-Length: 0\r\n\r\n"),
        (b"A\r\nContent-Length: 0\r\n\r\n", b"A\r\nContent-Length: 0\r\n\r\n"),
        (b"A\r\nl: 4\r\n\r\nbody", b"A\r\nl: 4\r\n\r\nbody"),
        (b"A\r\n\r\n\r\nContent-Length: 9\r\n", b"A\r\n\r\n\r\nContent-Length: 9\r\n"),
    ],
)
def test_the_head_of_a_message(octets: bytes, head: bytes) -> None:
    assert head_of(octets) == head


def test_a_transaction_prints_what_it_is() -> None:
    party = Party()
    assert repr(party.serve(request())) == "<ServerTransaction INVITE Proceeding <Flow UDP 192.0.2.1:5060 ⇄ 192.0.2.2:5060>>"
    assert repr(party.ask(our_request("BYE"))).startswith("<ClientTransaction BYE Trying ")


def test_a_held_pair_is_small() -> None:
    party = Party()
    server = party.serve(request(body="v=0\r\n" * 30))
    party.layer.respond(server, response_to(server.request, 100), 0.0)
    client = party.ask(our_request(body="v=0\r\n" * 30))
    party.hear(response("INVITE", 180))
    kept = 0
    for one in (server, client):
        assert not hasattr(one, "__dict__")
        kept += sys.getsizeof(one) + sys.getsizeof(one.key) + sys.getsizeof(one.octets)
    kept += sys.getsizeof(server.response)
    assert isinstance(client, ClientTransaction)
    assert kept < 2_000
