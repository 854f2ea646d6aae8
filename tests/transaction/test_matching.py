"""RFC 3261 §17.1.3, §17.2.3, §9.2, §8.2.2.2: which message belongs to which transaction."""

import pytest

from ringback.message.message import Request
from ringback.transaction.events import RequestReceived, ResponseReceived, StrayResponseReceived
from ringback.transaction.matching import OngoingRequests, client_of, has_cookie, request_key
from tests.transaction.party import Party, message, our_request, request, response

# RFC 2543 knew no magic cookie; some of its clients wrote no branch at all.
OLD_BRANCHES = [None, "1", "z9hG4b", "390skdjuw"]


def only(party: Party, received: Request) -> RequestReceived:
    [event] = party.hear(received)
    assert isinstance(event, RequestReceived)
    return event


def test_a_retransmission_is_absorbed_even_before_anybody_looked() -> None:
    party = Party()
    party.layer.receive(request(), party.flow, 0.0)
    party.layer.receive(request(), party.flow, 0.0)
    assert len(party.layer.take_events()) == 1
    assert len(party.layer.servers) == 1


@pytest.mark.parametrize(
    "other",
    [request(branch="z9hG4bKb"), request(sent_by="192.0.2.2:5061"), request(sent_by="192.0.2.2"), request("OPTIONS")],
    ids=["branch", "port", "no port", "method"],
)
def test_another_branch_sent_by_or_method_is_another_transaction(other: Request) -> None:
    party = Party()
    first = party.serve(request())
    assert party.serve(other) is not first
    assert len(party.layer.servers) == 2


def test_the_method_is_compared_with_its_case() -> None:
    party = Party()
    party.serve(request("OPTIONS"))
    party.serve(request("options"))


@pytest.mark.parametrize(("branch", "sent_by"), [("Z9HG4BKA", "192.0.2.2:5060"), ("z9hG4bKa", "PHONE.example.com:5060")])
def test_branch_and_host_are_compared_without_case(branch: str, sent_by: str) -> None:
    party = Party()
    party.serve(request(sent_by=sent_by.lower()))
    assert party.hear(request(branch=branch, sent_by=sent_by)) == []


def test_an_ack_of_a_refusal_belongs_to_its_invite() -> None:
    party = Party()
    invite = party.serve(request())
    party.answer(invite, 486)
    assert party.hear(request("ACK", to_tag="tt")) == []
    assert invite.state == "Confirmed"


def test_an_ack_that_belongs_to_nothing_passes_by() -> None:
    party = Party()
    event = only(party, request("ACK", "z9hG4bKother", to_tag="tt"))
    assert event.request.method == "ACK"
    assert event.transaction is None
    assert not party.layer.servers


def test_an_ack_in_proceeding_is_ignored() -> None:
    party = Party()
    invite = party.serve(request())
    assert party.hear(request("ACK", to_tag="tt")) == []
    assert invite.state == "Proceeding"


@pytest.mark.parametrize("branch", ["z9hG4bKa", *OLD_BRANCHES])
def test_an_ack_with_the_branch_of_an_accepted_invite_passes_to_the_user(branch: str | None) -> None:
    # RFC 6026 §7.1, and §6 for clients whose ACK of a 2xx looks like the INVITE's.
    party = Party()
    invite = party.serve(request(branch=branch))
    party.answer(invite, 200)
    event = only(party, request("ACK", branch, to_tag="tt"))
    assert event.transaction is None
    assert invite.state == "Accepted"


@pytest.mark.parametrize("branch", OLD_BRANCHES)
def test_an_old_clients_retransmission_is_absorbed(branch: str | None) -> None:
    party = Party()
    for method in ("INVITE", "REGISTER"):
        party.serve(request(method, branch))
        assert party.hear(request(method, branch)) == []


@pytest.mark.parametrize("branch", OLD_BRANCHES)
@pytest.mark.parametrize(
    "differing",
    [
        {"uri": "sip:carol@example.com"},
        {"to_tag": "t2"},
        {"from_tag": "f2"},
        {"call_id": "c2"},
        {"cseq": 2},
        {"sent_by": "192.0.2.2:5070"},
        {"transport": "TCP"},
    ],
    ids=lambda differing: next(iter(differing)),
)
def test_an_old_clients_request_that_differs_anywhere_is_another(branch: str | None, differing: dict[str, object]) -> None:
    party = Party()
    first = party.serve(request(branch=branch))
    assert party.serve(request(branch=branch, **differing)) is not first  # type: ignore[arg-type]


@pytest.mark.parametrize("branch", OLD_BRANCHES)
def test_an_old_clients_ack_is_known_by_the_tag_of_our_response(branch: str | None) -> None:
    party = Party()
    invite = party.serve(request(branch=branch))
    party.answer(invite, 486, "ours")
    assert only(party, request("ACK", branch, to_tag="another")).transaction is None
    assert invite.state == "Completed"
    assert party.hear(request("ACK", branch, to_tag="ours")) == []
    assert invite.state == "Confirmed"
    assert party.hear(request("ACK", branch, to_tag="ours")) == []
    party.run_out()
    assert not party.layer.servers
    assert not party.layer.ack_keys


def test_an_old_clients_refused_other_request_expects_no_ack() -> None:
    party = Party()
    party.answer(party.serve(request("OPTIONS", None)), 404)
    assert not party.layer.ack_keys
    assert len(party.layer.servers) == 1


@pytest.mark.parametrize("branch", ["z9hG4bKa", *OLD_BRANCHES])
def test_a_cancel_finds_its_invite(branch: str | None) -> None:
    party = Party()
    invite = party.serve(request(branch=branch))
    event = only(party, request("CANCEL", branch))
    assert event.cancels is invite
    assert event.transaction is not None
    assert event.transaction.method == "CANCEL"
    assert party.answer(event.transaction, 200) == ["200"]
    assert party.answer(invite, 487) == ["487"]


@pytest.mark.parametrize("branch", ["z9hG4bKother", *OLD_BRANCHES])
def test_a_cancel_of_nothing_cancels_nothing(branch: str | None) -> None:
    party = Party()
    party.serve(request())
    party.serve(request("OPTIONS", branch, call_id="c9"))
    assert only(party, request("CANCEL", branch, call_id="c9")).cancels is None


def test_a_cancel_from_another_address_cancels_nothing_and_is_counted() -> None:
    party = Party()
    party.serve(request())
    [event] = party.hear(request("CANCEL"), party.from_("192.0.2.66"))
    assert isinstance(event, RequestReceived)
    assert event.cancels is None
    assert party.layer.forged_cancels == 1


def test_a_cancel_from_another_port_of_the_same_address_is_the_invites() -> None:
    party = Party()
    invite = party.serve(request())
    [event] = party.hear(request("CANCEL"), party.from_("192.0.2.2", 40_000))
    assert isinstance(event, RequestReceived)
    assert event.cancels is invite


def test_an_unreadable_tag_does_not_keep_a_request_from_its_transaction() -> None:
    text = request(branch=None).to_bytes().replace(b"<sip:alice@example.com>;tag=ft", b"<sip:alice@example.com>;tag=;tag=a b")
    first, second = message(text), message(text)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert request_key(first, first.via) == request_key(second, second.via)


def test_a_response_belongs_to_the_request_with_its_branch_and_method() -> None:
    party = Party()
    transaction = party.ask(our_request())
    [event] = party.hear(response("INVITE", 180))
    assert isinstance(event, ResponseReceived)
    assert event.transaction is transaction
    assert event.response.status == 180
    assert event.flow == party.flow


def test_the_response_to_a_cancel_is_not_the_invites() -> None:
    party = Party()
    invite = party.ask(our_request())
    cancel = party.ask(our_request("CANCEL"))
    [event] = party.hear(response("CANCEL", 200))
    assert event.transaction is cancel
    assert invite.state == "Calling"


@pytest.mark.parametrize("cseq", ["1\tINVITE", "1   INVITE", "1 \t INVITE"])
def test_a_strangely_written_cseq_still_finds_its_transaction(cseq: str) -> None:
    party = Party()
    party.ask(our_request())
    assert len(party.hear(response("INVITE", 180, cseq=cseq))) == 1


@pytest.mark.parametrize(
    "stray",
    [
        response("INVITE", 200, "z9hG4bKother"),
        response("BYE", 200),
        response("INVITE", 200, sent_by="192.0.2.1:5070"),
        response("INVITE", 200, sent_by="192.0.2.9:5060"),
        response("INVITE", 200, "1"),
        response("INVITE", 200, cseq="1 BYE"),
    ],
    ids=["branch", "method", "port", "host", "no cookie", "method in CSeq"],
)
def test_a_stray_response_is_dropped_and_counted(stray: object) -> None:
    # RFC 6026 §8.9, RFC 3261 §18.1.2.
    party = Party()
    transaction = party.ask(our_request())
    assert party.hear(stray) == []  # type: ignore[arg-type]
    assert party.layer.stray_responses == 1
    assert transaction.state == "Calling"
    assert party.sent() == []


def test_a_response_without_branch_or_cseq_belongs_to_nothing() -> None:
    party = Party()
    party.ask(our_request())
    for name in ("Via", "CSeq"):
        other = response("INVITE", 200)
        other.headers.set(name, "SIP/2.0/UDP 192.0.2.1:5060") if name == "Via" else other.headers.remove(name)
        assert client_of(other, party.layer.clients) is None


def test_the_cookie_begins_the_branch() -> None:
    assert has_cookie(request(branch="z9hG4bKx").via)
    assert has_cookie(request(branch="Z9hg4Bkx").via)
    # The cookie alone promises that it is unique and is not (RFC 4475 §3.2.1).
    assert not has_cookie(request(branch="z9hG4bK").via)
    for branch in OLD_BRANCHES:
        assert not has_cookie(request(branch=branch).via)


def test_a_request_that_came_by_two_ways_is_merged() -> None:
    party, ongoing = Party(), OngoingRequests()
    first, second = request(branch="z9hG4bKa"), request(branch="z9hG4bKb")
    one, two = party.serve(first), party.serve(second)
    assert not ongoing.is_merged(first, one)
    assert not ongoing.is_merged(first, one)
    assert ongoing.is_merged(second, two)


@pytest.mark.parametrize(
    "other",
    [request(branch="z9hG4bKb", call_id="c2"), request(branch="z9hG4bKb", cseq=2), request(branch="z9hG4bKb", from_tag="f2"),
     request("OPTIONS", "z9hG4bKb"), request(branch="z9hG4bKb", to_tag="tt")],
    ids=["Call-ID", "CSeq number", "From tag", "CSeq method", "To tag"],
)  # fmt: skip
def test_another_request_is_not_merged(other: Request) -> None:
    party, ongoing = Party(), OngoingRequests()
    first = request()
    assert not ongoing.is_merged(first, party.serve(first))
    assert not ongoing.is_merged(other, party.serve(other))


def test_a_request_that_is_over_merges_nothing() -> None:
    party, ongoing = Party(), OngoingRequests()
    first, second = request(branch="z9hG4bKa"), request(branch="z9hG4bKb")
    one = party.serve(first)
    assert not ongoing.is_merged(first, one)
    party.layer.abandon(one)
    assert not ongoing.is_merged(second, party.serve(second))


def test_requests_that_are_over_are_forgotten() -> None:
    party, ongoing = Party(), OngoingRequests()
    for number in range(5000):
        one = request("OPTIONS", f"z9hG4bK{number}", call_id=str(number))
        transaction = party.serve(one)
        assert not ongoing.is_merged(one, transaction)
        party.layer.abandon(transaction)
    assert len(ongoing._transactions) <= 1024


def test_a_core_that_keeps_no_state_hears_of_stray_responses() -> None:
    # §18.1.2, §16.11.
    party = Party()
    party.layer.tells_strays = True
    [event] = party.hear(response("INVITE", 200))
    assert isinstance(event, StrayResponseReceived)
    assert event.transaction is None
