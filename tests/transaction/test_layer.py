"""The layer's verbs: what its user, the network and the transports can do to it."""

import pytest

from ringback.address import Endpoint, Flow
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.transaction.events import RequestReceived, ResponseReceived, TransactionTimedOut, TransportFailed
from ringback.transaction.layer import TransactionLayer
from tests.transaction.party import PEER_HOST, Party, our_request, request, response

FINALS = [200, 302, 404, 503, 600]


# Client transactions


def test_a_request_goes_out_at_once_over_its_flow() -> None:
    party = Party()
    sent = our_request(body="v=0\r\n")
    transaction = party.layer.request(sent, party.flow, 0.0, "user")
    assert party.layer.take_outgoing() == [(sent.to_bytes(), party.flow)]
    assert transaction.user == "user"
    assert transaction.state == "Calling"
    assert transaction.method == "INVITE"
    assert party.layer.request(our_request("BYE", "z9hG4bKb"), party.flow, 0.0).state == "Trying"


def test_what_a_caller_may_not_ask_changes_nothing() -> None:
    party = Party()
    party.ask(our_request())
    for wrong in (our_request("ACK", "z9hG4bKb"), our_request(branch="nocookie"), our_request()):
        with pytest.raises(ValueError, match=r"ACK|z9hG4bK|in use"):
            party.layer.request(wrong, party.flow, 0.0)
    assert len(party.layer.clients) == 1
    assert party.sent() == []


def test_each_provisional_response_of_an_invite_is_told() -> None:
    party = Party()
    transaction = party.ask(our_request())
    for status in (100, 180, 183, 180):
        [event] = party.hear(response("INVITE", status))
        assert isinstance(event, ResponseReceived)
        assert event.response.status == status
    assert transaction.state == "Proceeding"
    assert party.sent() == []


@pytest.mark.parametrize("ringing", [False, True])
@pytest.mark.parametrize("status", [300, 408, 486, 503, 699])
def test_a_refused_invite_is_acknowledged_and_told_once(status: int, *, ringing: bool) -> None:
    party = Party()
    transaction = party.ask(our_request(extra="Route: <sip:proxy.example.com;lr>\nRequire: x\n", body="v=0\r\n"))
    if ringing:
        party.hear(response("INVITE", 180))
    [event] = party.hear(response("INVITE", status, tag="theirs"))
    assert isinstance(event, ResponseReceived)
    [(ack, flow)] = party.sent_whole()
    assert isinstance(ack, Request)
    assert flow == party.flow
    assert (ack.method, ack.uri_text, ack.call_id, str(ack.cseq)) == ("ACK", "sip:bob@example.com", "c1", "1 ACK")
    assert [str(via) for via in ack.vias] == ["SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa"]
    assert (ack.from_tag, ack.to_tag) == ("ft", "theirs")
    assert ack.headers.texts("Route") == ["<sip:proxy.example.com;lr>"]
    assert "require" not in ack.headers
    assert ack.body == b""
    assert transaction.state == "Completed"
    # Its retransmission, and the refusal of another fork, bring the same ACK again and are not told.
    for again in (response("INVITE", status, tag="theirs"), response("INVITE", 404, tag="other")):
        assert party.hear(again) == []
        assert party.layer.take_outgoing() == [(ack.to_bytes(), party.flow)]
    assert party.hear(response("INVITE", 200)) == []
    assert party.hear(response("INVITE", 180)) == []


def test_a_refused_invite_is_acknowledged_over_a_reliable_transport_too() -> None:
    party = Party("TCP")
    party.ask(our_request(transport="TCP"))
    assert len(party.hear(response("INVITE", 486))) == 1
    assert party.sent() == ["ACK"]


@pytest.mark.parametrize("ringing", [False, True])
def test_each_2xx_of_an_invite_is_told_and_none_acknowledged(*, ringing: bool) -> None:
    # RFC 6026 §7.2: retransmissions and the answers of further forks alike.
    party = Party()
    transaction = party.ask(our_request())
    if ringing:
        party.hear(response("INVITE", 180))
    for tag in ("one", "one", "two"):
        [event] = party.hear(response("INVITE", 200, tag=tag))
        assert isinstance(event, ResponseReceived)
        assert event.response.to_tag == tag
    assert transaction.state == "Accepted"
    assert party.hear(response("INVITE", 180)) == []
    assert party.hear(response("INVITE", 486)) == []
    assert party.sent() == []
    assert party.run_out() == []


@pytest.mark.parametrize("status", FINALS)
def test_one_final_response_of_another_request_is_told(status: int) -> None:
    party = Party()
    transaction = party.ask(our_request("OPTIONS"))
    assert len(party.hear(response("OPTIONS", 100))) == 1
    assert transaction.state == "Proceeding"
    assert len(party.hear(response("OPTIONS", status))) == 1
    assert transaction.state == "Completed"
    assert party.hear(response("OPTIONS", status)) == []
    assert party.hear(response("OPTIONS", 200)) == []
    assert party.sent() == []


def test_a_response_from_another_address_is_dropped_and_counted() -> None:
    party = Party()
    transaction = party.ask(our_request())
    assert party.hear(response("INVITE", 200), party.from_("192.0.2.66")) == []
    assert party.layer.forged_responses == 1
    assert transaction.state == "Calling"
    assert len(party.hear(response("INVITE", 200), party.from_(PEER_HOST, 40_000))) == 1


def test_a_response_from_another_address_counts_where_that_is_allowed() -> None:
    party = Party(strict_sources=False)
    party.ask(our_request())
    assert len(party.hear(response("INVITE", 200), party.from_("192.0.2.66"))) == 1
    party = Party("TCP")
    party.ask(our_request(transport="TCP"))
    assert len(party.hear(response("INVITE", 200), Flow(party.endpoint, ("192.0.2.66", 5060), 2))) == 1


def test_a_request_to_a_group_is_answered_from_anywhere_and_once() -> None:
    # §17.1.3: the first response is used, the others are taken for its retransmissions.
    party = Party()
    party.flow = party.from_("224.0.1.75")
    party.ask(our_request("OPTIONS"))
    assert len(party.hear(response("OPTIONS", 200, tag="one"), party.from_("192.0.2.7"))) == 1
    assert party.hear(response("OPTIONS", 200, tag="two"), party.from_("192.0.2.8")) == []


# Server transactions


def test_a_request_is_told_with_its_transaction() -> None:
    party = Party()
    [event] = party.hear(request(body="v=0\r\n"))
    assert isinstance(event, RequestReceived)
    assert event.request.body == b"v=0\r\n"
    assert event.flow == party.flow
    assert event.cancels is None
    assert event.transaction is not None
    assert event.transaction.flow == party.flow
    assert event.transaction.state == "Proceeding"
    assert party.serve(request("BYE", "z9hG4bKb")).state == "Trying"


def test_every_request_is_stamped_before_it_is_told() -> None:
    party = Party()
    for received in (request(sent_by="10.0.0.1", via_params=";rport"), request("ACK", "z9hG4bKb", sent_by="10.0.0.1", via_params=";rport")):
        [event] = party.hear(received, party.from_(PEER_HOST, 40_000))
        assert isinstance(event, RequestReceived)
        assert (event.request.via.received, event.request.via.rport) == (PEER_HOST, 40_000)


def test_a_response_goes_back_where_the_via_says() -> None:
    party = Party()
    transaction = party.serve(request(sent_by="198.51.100.1:5070"), party.from_(PEER_HOST, 40_000))
    party.layer.respond(transaction, response_to(request(), 180), 0.0)
    [(_, flow)] = party.layer.take_outgoing()
    assert flow == party.from_(PEER_HOST, 5070)


def test_each_provisional_response_goes_out_and_the_last_is_repeated() -> None:
    party = Party()
    transaction = party.serve(request())
    party.hear(request())
    assert party.sent() == []
    for status in (100, 180, 183):
        assert party.answer(transaction, status) == [str(status)]
    party.hear(request())
    assert party.sent() == ["183"]


def test_a_2xx_is_sent_and_only_its_user_repeats_it() -> None:
    party = Party()
    transaction = party.serve(request())
    assert party.answer(transaction, 200) == ["200"]
    assert transaction.state == "Accepted"
    assert party.hear(request()) == []
    assert party.sent() == []
    assert party.answer(transaction, 200) == ["200"]
    assert party.answer(transaction, 486) == []
    assert party.answer(transaction, 180) == []
    assert party.pass_time(100) == []


def test_a_refusal_is_repeated_to_each_retransmission_and_no_second_one_is_sent() -> None:
    party = Party()
    transaction = party.serve(request())
    party.answer(transaction, 486)
    party.hear(request())
    assert party.sent() == ["486"]
    for status in (180, 200, 404):
        assert party.answer(transaction, status) == []


@pytest.mark.parametrize("status", FINALS)
def test_the_final_response_of_another_request_is_repeated(status: int) -> None:
    party = Party()
    transaction = party.serve(request("OPTIONS"))
    party.hear(request("OPTIONS"))
    assert party.sent() == []
    assert party.answer(transaction, status) == [str(status)]
    for late in (100, 200, 404):
        assert party.answer(transaction, late) == []
    party.hear(request("OPTIONS"))
    assert party.sent() == [str(status)]


def test_a_provisional_response_to_another_request_is_100_and_over_udp_never_early() -> None:
    # RFC 4320 §4.1.
    party = Party()
    transaction = party.serve(request("OPTIONS"))
    for status in (100, 180, 199):
        assert party.answer(transaction, status) == []
    assert party.pass_time(3.5) == [(3.5, "100")]
    assert party.answer(transaction, 180) == []
    assert party.answer(transaction, 100) == ["100"]
    party.hear(request("OPTIONS"))
    assert party.sent() == ["100"]
    assert party.answer(transaction, 200) == ["200"]


def test_100_to_another_request_may_come_early_over_a_reliable_transport() -> None:
    party = Party("TCP")
    transaction = party.serve(request("OPTIONS", transport="TCP"))
    assert party.answer(transaction, 180) == []
    assert party.answer(transaction, 100) == ["100"]
    assert transaction.state == "Proceeding"
    assert party.pass_time(10) == []
    assert party.answer(transaction, 200) == ["200"]


@pytest.mark.parametrize("wait", [0.0, 5.0])
def test_no_408_answers_another_request_and_nothing_comes_after_it(wait: float) -> None:
    # RFC 4320 §4.2.
    party = Party()
    transaction = party.serve(request("OPTIONS"))
    party.pass_time(wait)
    assert party.answer(transaction, 408) == []
    assert party.hear(request("OPTIONS")) == []
    assert party.sent() == (["100"] if wait else [])
    assert party.answer(transaction, 200) == []
    assert party.run_out() == []
    assert not party.layer.servers


def test_a_408_answers_an_invite() -> None:
    party = Party()
    assert party.answer(party.serve(request()), 408) == ["408"]


def test_a_response_that_comes_too_late_is_discarded() -> None:
    # RFC 6026 §8.3, RFC 4320 §4.2.
    for method in ("INVITE", "OPTIONS"):
        party = Party()
        transaction = party.serve(request(method))
        party.answer(transaction, 200)
        party.run_out()
        assert transaction.is_terminated
        assert party.answer(transaction, 200) == []


@pytest.mark.parametrize("status", [0, 99, 700, -1])
def test_a_status_that_is_none_is_a_callers_fault(status: int) -> None:
    party = Party()
    transaction = party.serve(request())
    with pytest.raises(ValueError, match="status"):
        party.layer.respond(transaction, Response(status, "?"), 0.0)
    assert transaction.state == "Proceeding"


def test_reject_answers_once_and_remembers_nothing() -> None:
    party = Party()
    for _ in range(2):
        transaction = party.serve(request())
        party.layer.reject(transaction, response_to(transaction.request, 404, tag="t"))
        assert party.sent() == ["404"]
        assert transaction.is_terminated
        assert not party.layer.servers
        party.layer.reject(transaction, Response(404))
        assert party.sent() == []
    [event] = party.hear(request("ACK", to_tag="t"))
    assert isinstance(event, RequestReceived)
    assert event.transaction is None
    assert party.pass_time(100) == []
    assert party.layer.next_deadline() is None


def test_an_abandoned_transaction_does_nothing_more() -> None:
    party = Party()
    server, client = party.serve(request()), party.ask(our_request())
    party.layer.abandon(server)
    party.layer.abandon(client)
    assert not party.layer.servers
    assert not party.layer.clients
    assert party.pass_time(100) == []
    assert party.layer.take_events() == []
    assert party.hear(response("INVITE", 200)) == []
    assert party.answer(server, 200) == []


# Transport errors


def failed(party: Party) -> list[tuple[object, str]]:
    party.layer.transport_failed(party.flow, party.now, "unreachable")
    events = party.layer.take_events()
    assert all(isinstance(event, TransportFailed) for event in events)
    return [(event.transaction, event.reason) for event in events if isinstance(event, TransportFailed)]


def test_a_request_that_cannot_be_sent_is_told_and_over() -> None:
    for method in ("INVITE", "OPTIONS"):
        party = Party()
        transaction = party.ask(our_request(method))
        assert failed(party) == [(transaction, "unreachable")]
        assert transaction.is_terminated
        assert not party.layer.clients
        assert party.pass_time(100) == []


def test_an_ack_that_cannot_be_sent_is_told_and_over() -> None:
    party = Party()
    transaction = party.ask(our_request())
    party.hear(response("INVITE", 486))
    assert failed(party) == [(transaction, "unreachable")]
    assert transaction.is_terminated


@pytest.mark.parametrize("status", [180, 200])
def test_an_invite_that_has_nothing_to_send_hears_of_no_error(status: int) -> None:
    party = Party()
    transaction = party.ask(our_request())
    party.hear(response("INVITE", status))
    state = transaction.state
    assert failed(party) == []
    assert transaction.state == state


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
@pytest.mark.parametrize("status", [None, 100, 180, 200, 486])
def test_a_server_transaction_outlives_a_response_that_cannot_be_sent(method: str, status: int | None) -> None:
    # RFC 6026 §7.1, §8.8: the retransmission that follows must not look like a new request.
    party = Party()
    transaction = party.serve(request(method))
    if status is not None:
        party.answer(transaction, status)
    state = transaction.state
    assert failed(party) == [(transaction, "unreachable")]
    assert transaction.state == state
    assert party.hear(request(method)) == []


def test_a_confirmed_invite_has_nothing_more_to_send() -> None:
    party = Party()
    party.answer(party.serve(request()), 486)
    party.hear(request("ACK", to_tag="tt"))
    assert failed(party) == []


def test_only_what_goes_over_the_failed_flow_hears_of_it() -> None:
    party = Party()
    here = party.ask(our_request())
    elsewhere = party.layer.request(our_request(branch="z9hG4bKb"), party.from_("192.0.2.9"), 0.0)
    other = party.layer.request(our_request(branch="z9hG4bKc"), Flow(Endpoint("UDP", "192.0.2.1", 5070), party.flow.remote), 0.0)
    assert failed(party) == [(here, "unreachable")]
    assert elsewhere.state == other.state == "Calling"


def test_errors_that_abound_are_looked_at_together_and_soon() -> None:
    party = Party()
    transactions = [party.layer.request(our_request("OPTIONS", f"z9hG4bK{n}"), party.from_(f"10.0.{n}.1"), 0.0) for n in range(200)]
    party.sent()
    for transaction in transactions:
        party.layer.transport_failed(transaction.flow, 0.0, "gone")
    assert len(party.layer.take_events()) == 1
    deadline = party.layer.next_deadline()
    assert deadline is not None
    assert deadline == pytest.approx(0.002)
    party.layer.advance(deadline / 2)
    assert party.layer.take_events() == []
    assert party.layer.next_deadline() == deadline
    party.layer.advance(deadline)
    assert len(party.layer.take_events()) == 199
    assert not party.layer.clients
    party.layer.transport_failed(party.flow, 1.0)
    assert party.layer.take_events() == []


def test_a_timer_sooner_than_the_next_look_stays_the_deadline() -> None:
    party = Party()
    for n in range(100):
        party.layer.request(our_request("OPTIONS", f"z9hG4bK{n}"), party.flow, 0.0)
    party.layer.transport_failed(party.from_("10.0.0.1"), 0.4999)
    party.layer.transport_failed(party.from_("10.0.0.1"), 0.4999)
    assert party.layer.next_deadline() == 0.5


# Bounded state


def test_above_the_limit_a_request_is_refused_without_a_transaction() -> None:
    party = Party(max_transactions=2, chance=lambda: 0.99)
    party.serve(request("OPTIONS", "z9hG4bK1"))
    party.ask(our_request("OPTIONS", "z9hG4bK2"))
    tags = set()
    for _ in range(2):
        assert party.hear(request(branch="z9hG4bK3", sent_by="10.0.0.1", via_params=";rport")) == []
        [(refusal, flow)] = party.sent_whole()
        assert isinstance(refusal, Response)
        assert (refusal.status, refusal.headers.text("Retry-After"), flow) == (503, "14", party.flow)
        assert refusal.via.received == PEER_HOST
        tags.add(refusal.to_tag)
    # §8.2.7: a stateless answer is the same each time.
    assert len(tags) == 1
    assert None not in tags
    assert party.layer.shed_requests == 2
    assert len(party.layer.servers) + len(party.layer.clients) == 2


def test_retry_after_spreads_those_refused() -> None:
    seconds = set()
    for chance in (0.0, 0.5, 0.999):
        party = Party(max_transactions=0, chance=lambda chance=chance: chance)
        party.hear(request())
        [(refusal, _)] = party.sent_whole()
        seconds.add(refusal.headers.text("Retry-After"))
    assert seconds == {"5", "10", "14"}


def test_above_the_limit_retransmissions_acks_and_cancels_of_ours_are_let_in() -> None:
    party = Party(max_transactions=1)
    invite = party.serve(request())
    party.answer(invite, 180)
    party.hear(request())
    assert party.sent() == ["180"]
    [event] = party.hear(request("CANCEL"))
    assert isinstance(event, RequestReceived)
    assert event.cancels is invite
    assert len(party.hear(request("ACK", "z9hG4bKother", to_tag="x"))) == 1
    assert party.hear(request("CANCEL", "z9hG4bKother")) == []
    assert party.sent() == ["503"]


def test_when_there_is_room_again_requests_are_let_in() -> None:
    party = Party(max_transactions=1)
    party.answer(party.serve(request("OPTIONS")), 200)
    party.run_out()
    party.serve(request("OPTIONS", "z9hG4bKb"))


def test_a_layer_needs_no_arguments() -> None:
    layer = TransactionLayer()
    assert layer.next_deadline() is None
    assert layer.take_events() == []
    assert layer.take_outgoing() == []
    layer.advance(1e9)


def test_a_message_may_come_without_its_octets() -> None:
    party = Party()
    party.layer.receive(request(sent_by="10.0.0.1", via_params=";rport"), party.flow, 0.0)
    [event] = party.layer.take_events()
    assert isinstance(event, RequestReceived)
    assert event.transaction is not None
    assert event.transaction.request == event.request


def test_events_of_timeouts_know_their_transaction() -> None:
    party = Party()
    transaction = party.ask(our_request(), "user")
    [event] = party.run_out()
    assert isinstance(event, TransactionTimedOut)
    assert event.transaction is transaction
    assert transaction.user == "user"
