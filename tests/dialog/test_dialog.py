"""The state of a dialog from both sides, and the requests made of it (RFC 3261 §12, §13.2.2.4)."""

import pytest

from ringback.dialog.dialog import TARGET_REFRESH, Dialog, establishes_dialog
from ringback.message.derive import response_to
from ringback.message.errors import SipParseError
from ringback.message.fields.cseq import MAX_CSEQ, CSeq
from ringback.message.parser import parse_datagram
from tests.dialog.messages import (
    INVITE_AT_BOB,
    INVITE_OF_ALICE,
    OK_AT_ALICE,
    RINGING_AT_ALICE,
    ROUTES_OF_ALICE,
    ROUTES_OF_BOB,
    at_alice,
    at_bob,
    in_dialog,
    request,
    response,
    with_line,
)

CALL_ID = "3848276298220188511@atlanta.example.com"


# ---- beginning, as the server


def test_the_servers_dialog_is_named_by_call_id_its_own_to_tag_and_the_callers_tag() -> None:
    dialog = at_bob()
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == (CALL_ID, "314159", "9fxced76sl")


def test_the_servers_route_set_is_the_requests_record_route_in_order() -> None:
    assert at_bob().route_set == ROUTES_OF_BOB


def test_a_route_set_keeps_all_parameters_as_they_were_written() -> None:
    routes = ["<sip:a.example.com;lr;x=%20y;Z>;q=1", '"P, 2" <sips:b@b.example.com:5062;lr=on;ftag=1>']
    record_route = f"Record-Route: {routes[0]} , {routes[1]}"
    assert at_bob(with_line(INVITE_AT_BOB, "Record-Route", record_route)).route_set == tuple(routes)
    assert at_alice(with_line(OK_AT_ALICE, "Record-Route", record_route)).route_set == tuple(routes[::-1])


def test_record_route_in_several_lines_is_one_list() -> None:
    lines = "Record-Route: <sip:a.example.com;lr>\nRecord-Route: <sip:b.example.com;lr>"
    assert at_bob(with_line(INVITE_AT_BOB, "Record-Route", lines)).route_set == ("<sip:a.example.com;lr>", "<sip:b.example.com;lr>")


def test_without_record_route_the_servers_route_set_is_empty() -> None:
    dialog = at_bob(with_line(INVITE_AT_BOB, "Record-Route", None))
    assert dialog.route_set == ()
    assert dialog.next_hop == "sip:alice@client.atlanta.example.com;transport=tcp"


def test_the_servers_remote_target_is_the_requests_contact() -> None:
    assert at_bob().remote_target == "sip:alice@client.atlanta.example.com;transport=tcp"


def test_the_server_knows_the_callers_number_and_has_none_of_its_own() -> None:
    dialog = at_bob()
    assert (dialog.remote_seq, dialog.local_seq) == (2, None)


def test_the_servers_remote_uri_is_from_and_its_local_uri_is_to() -> None:
    dialog = at_bob()
    assert dialog.remote == "Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl"
    assert dialog.local == "Bob <sip:bob@biloxi.example.com>;tag=314159"


def test_a_caller_without_a_tag_has_the_null_tag() -> None:
    dialog = at_bob(with_line(INVITE_AT_BOB, "From", "From: <sip:old@atlanta.example.com>"))
    assert dialog.remote_tag is None
    assert dialog.request("BYE").headers.text("To") == "<sip:old@atlanta.example.com>"


def test_compact_forms_and_folds_are_read_like_any_other() -> None:
    invite = with_line(INVITE_AT_BOB, "From", 'f: "Alice"\n <sip:alice@atlanta.example.com>\n ;tag=x')
    invite = with_line(invite, "Contact", "m: <sip:alice@192.0.2.101>")
    dialog = at_bob(with_line(invite, "Call-ID", "i: 1@a"))
    assert (dialog.call_id, dialog.remote_tag, dialog.remote_target) == ("1@a", "x", "sip:alice@192.0.2.101")
    assert dialog.request("BYE").headers.text("To") == '"Alice" <sip:alice@atlanta.example.com> ;tag=x'


@pytest.mark.parametrize("status", [100, 300, 486])
def test_some_responses_begin_no_dialog(status: int) -> None:
    with pytest.raises(ValueError, match=f"a {status} begins no dialog"):
        at_bob(status=status)
    with pytest.raises(ValueError, match=f"a {status} begins no dialog"):
        at_alice(OK_AT_ALICE.replace("200 OK", f"{status} X"))


def test_our_own_messages_bear_our_tag() -> None:
    received = request(INVITE_AT_BOB)
    with pytest.raises(ValueError, match="To tag"):
        Dialog.of_server(received, response_to(received, 200))
    with pytest.raises(ValueError, match="From tag"):
        at_alice(invite=with_line(INVITE_OF_ALICE, "From", "From: <sip:alice@atlanta.example.com>"))


# ---- beginning, as the client


def test_the_clients_dialog_is_named_by_call_id_its_own_from_tag_and_the_callees_tag() -> None:
    dialog = at_alice()
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == (CALL_ID, "9fxced76sl", "314159")


def test_the_clients_route_set_is_the_responses_record_route_in_reverse() -> None:
    assert at_alice().route_set == ROUTES_OF_ALICE


def test_without_record_route_the_clients_route_set_is_empty_whatever_the_request_had() -> None:
    dialog = at_alice(with_line(OK_AT_ALICE, "Record-Route", None))
    assert dialog.route_set == ()
    assert "Route" not in dialog.request("BYE").headers


def test_the_clients_remote_target_is_the_responses_contact() -> None:
    assert at_alice().remote_target == "sip:bob@client.biloxi.example.com;transport=tcp"


def test_the_client_knows_its_own_number_and_none_of_the_callees() -> None:
    dialog = at_alice()
    assert (dialog.local_seq, dialog.remote_seq) == (2, None)


def test_the_clients_remote_uri_is_to_and_its_local_uri_is_from() -> None:
    dialog = at_alice()
    assert dialog.remote == "Bob <sip:bob@biloxi.example.com>;tag=314159"
    assert dialog.local == "Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl"


def test_a_2xx_without_a_tag_makes_a_dialog_with_the_null_tag() -> None:
    dialog = at_alice(with_line(OK_AT_ALICE, "To", "To: Bob <sip:bob@biloxi.example.com>"))
    assert dialog.remote_tag is None
    assert dialog.request("BYE").headers.text("To") == "Bob <sip:bob@biloxi.example.com>"
    assert dialog.ack(2).to_tag is None


def test_a_1xx_without_a_tag_makes_none() -> None:
    ringing = with_line(RINGING_AT_ALICE, "To", "To: Bob <sip:bob@biloxi.example.com>")
    assert not establishes_dialog(response(ringing))
    with pytest.raises(SipParseError) as caught:
        at_alice(ringing)
    assert caught.value.field == "To"


def test_what_begins_a_dialog() -> None:
    assert establishes_dialog(response(RINGING_AT_ALICE))
    assert establishes_dialog(response(OK_AT_ALICE))
    assert not establishes_dialog(response(RINGING_AT_ALICE.replace("180 Ringing", "100 Trying")))
    assert not establishes_dialog(response(OK_AT_ALICE.replace("200 OK", "486 Busy Here")))


def test_both_parties_name_the_same_dialog_with_the_tags_the_other_way_round() -> None:
    alice, bob = at_alice(), at_bob()
    assert (alice.call_id, alice.local_tag, alice.remote_tag) == (bob.call_id, bob.remote_tag, bob.local_tag)
    assert (alice.owns_call_id, bob.owns_call_id) == (True, False)


# ---- a Contact that is missing or bad


def test_without_contact_no_dialog_begins() -> None:
    with pytest.raises(SipParseError, match="Missing Contact") as caught:
        at_bob(with_line(INVITE_AT_BOB, "Contact", None))
    assert caught.value.field == "Contact"
    with pytest.raises(SipParseError, match="Missing Contact"):
        at_alice(with_line(OK_AT_ALICE, "Contact", None))


@pytest.mark.parametrize("contact", ["*", "<tel:+358-555-1234567>", "<mailto:alice@atlanta.example.com>", "<sip:alice@at@home>", "<sip:"])
def test_a_contact_is_one_sip_or_sips_uri(contact: str) -> None:
    with pytest.raises(SipParseError) as caught:
        at_bob(with_line(INVITE_AT_BOB, "Contact", f"Contact: {contact}"))
    assert caught.value.field == "Contact"


def test_what_no_request_uri_may_hold_is_left_out_of_the_remote_target() -> None:
    invite = with_line(INVITE_AT_BOB, "Contact", "Contact: <sip:alice@192.0.2.101;method=BYE;transport=tcp?Subject=x>;q=0.5")
    assert at_bob(invite).remote_target == "sip:alice@192.0.2.101;transport=tcp"
    invite = with_line(INVITE_AT_BOB, "Contact", "Contact: <sip:alice@192.0.2.101?Subject=x>")
    assert at_bob(invite).remote_target == "sip:alice@192.0.2.101"


@pytest.mark.parametrize("route", ["<tel:+15551234>", "<sip:a b>", "sip:a;lr", "<sip:a;lr>,,<sip:b;lr>", "<sip:a;lr;lr>"])
def test_a_record_route_that_leads_nowhere_is_the_senders_fault(route: str) -> None:
    with pytest.raises(SipParseError) as caught:
        at_bob(with_line(INVITE_AT_BOB, "Record-Route", f"Record-Route: {route}"))
    assert caught.value.field == "Record-Route"


@pytest.mark.parametrize(
    ("field", "line"), [("From", "From: <<sip:a@b>;tag=1"), ("From", 'From: "\0" <sip:a@b>;tag=1'), ("Call-ID", "Call-ID: a b@c")]
)
def test_what_is_malformed_does_not_come_back_in_our_requests(field: str, line: str) -> None:
    with pytest.raises(SipParseError) as caught:
        at_bob(with_line(INVITE_AT_BOB, field, line))
    assert caught.value.field == field
    with pytest.raises(SipParseError) as caught:
        at_alice(with_line(OK_AT_ALICE, "To", "To: <<sip:a@b>;tag=1"))
    assert caught.value.field == "To"


# ---- the secure flag


@pytest.mark.parametrize(
    ("uri", "over_tls", "is_secure"), [("sips", True, True), ("SIPS", True, True), ("sips", False, False), ("sip", True, False)]
)
def test_a_dialog_is_secure_if_it_began_with_a_sips_uri_over_tls(uri: str, over_tls: bool, is_secure: bool) -> None:
    sent = request(INVITE_OF_ALICE.replace("INVITE sip:", f"INVITE {uri}:"))
    assert Dialog.of_client(sent, response(OK_AT_ALICE), over_tls=over_tls).is_secure is is_secure
    received = request(INVITE_AT_BOB.replace("INVITE sip:", f"INVITE {uri}:"))
    assert Dialog.of_server(received, response_to(received, 200, tag="1"), over_tls=over_tls).is_secure is is_secure


# ---- early and confirmed


def test_a_dialog_of_a_1xx_is_early_until_the_2xx() -> None:
    dialog = at_alice(RINGING_AT_ALICE)
    was_early = dialog.is_early
    assert repr(dialog) == f"<Dialog {CALL_ID} 9fxced76sl 314159 early>"
    dialog.confirm(response(OK_AT_ALICE))
    assert (was_early, dialog.is_early) == (True, False)
    assert repr(dialog) == f"<Dialog {CALL_ID} 9fxced76sl 314159 confirmed>"
    assert not at_alice().is_early


def test_the_2xx_gives_the_client_its_route_set_anew() -> None:
    dialog = at_alice(with_line(RINGING_AT_ALICE, "Record-Route", None))
    assert dialog.next_hop == "sip:bob@client.biloxi.example.com;transport=tcp"
    dialog.confirm(response(OK_AT_ALICE))
    assert dialog.route_set == ROUTES_OF_ALICE
    assert dialog.next_hop == "sip:ss1.atlanta.example.com;lr"
    dialog = at_alice(RINGING_AT_ALICE)
    dialog.confirm(response(with_line(OK_AT_ALICE, "Record-Route", None)))
    assert dialog.route_set == ()


def test_the_2xx_leaves_the_numbers_of_an_early_dialog() -> None:
    dialog = at_alice(RINGING_AT_ALICE)
    assert dialog.request("PRACK").cseq == CSeq(3, "PRACK")
    dialog.receive(in_dialog("UPDATE", 77))
    dialog.confirm(response(OK_AT_ALICE))
    assert (dialog.local_seq, dialog.remote_seq) == (3, 77)


def test_the_2xx_refreshes_the_remote_target_if_it_has_a_contact() -> None:
    dialog = at_alice(RINGING_AT_ALICE)
    dialog.confirm(response(with_line(OK_AT_ALICE, "Contact", "Contact: <sip:bob@192.0.2.9>")))
    assert dialog.remote_target == "sip:bob@192.0.2.9"
    dialog = at_alice(RINGING_AT_ALICE)
    dialog.confirm(response(with_line(OK_AT_ALICE, "Contact", None)))
    assert dialog.remote_target == "sip:bob@client.biloxi.example.com;transport=tcp"


@pytest.mark.parametrize(("field", "line"), [("Contact", "Contact: *"), ("Record-Route", "Record-Route: <tel:1>")])
def test_a_bad_2xx_changes_nothing(field: str, line: str) -> None:
    dialog = at_alice(RINGING_AT_ALICE)
    with pytest.raises(SipParseError) as caught:
        dialog.confirm(response(with_line(OK_AT_ALICE, field, line)))
    assert caught.value.field == field
    assert dialog.is_early
    assert dialog.route_set == ROUTES_OF_ALICE
    assert dialog.remote_target == "sip:bob@client.biloxi.example.com;transport=tcp"


def test_a_confirmed_dialog_takes_no_route_set_from_a_later_2xx() -> None:
    dialog = at_alice()
    dialog.confirm(response(with_line(OK_AT_ALICE, "Record-Route", "Record-Route: <sip:c.example.com;lr>")))
    assert dialog.route_set == ROUTES_OF_ALICE


def test_the_server_confirms_with_its_own_2xx_and_keeps_what_it_knows_of_the_caller() -> None:
    dialog = at_bob(status=180)
    was_early = dialog.is_early
    ok = response_to(request(INVITE_AT_BOB), 200, tag="314159")
    ok.headers.append("Contact", "<sip:bob@client.biloxi.example.com>")
    dialog.confirm(ok)
    assert (was_early, dialog.is_early) == (True, False)
    assert dialog.route_set == ROUTES_OF_BOB
    assert dialog.remote_target == "sip:alice@client.atlanta.example.com;transport=tcp"


# ---- requests


def test_a_request_is_written_in_the_usual_order() -> None:
    assert at_bob().request("BYE").to_bytes().decode() == (
        "BYE sip:alice@client.atlanta.example.com;transport=tcp SIP/2.0\r\n"
        "Max-Forwards: 70\r\n"
        "Route: <sip:ss2.biloxi.example.com;lr>\r\n"
        "Route: <sip:ss1.atlanta.example.com;lr>\r\n"
        "From: Bob <sip:bob@biloxi.example.com>;tag=314159\r\n"
        "To: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
        "Call-ID: 3848276298220188511@atlanta.example.com\r\n"
        "CSeq: 1 BYE\r\n"
        "\r\n"
    )


@pytest.mark.parametrize(
    "method", ["INVITE", "BYE", "UPDATE", "PRACK", "INFO", "OPTIONS", "REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE", "x-own"]
)
def test_a_request_bears_the_dialogs_names_and_its_own_method(method: str) -> None:
    dialog = at_alice()
    made = dialog.request(method)
    assert made.method == made.cseq.method == method
    assert made.call_id == CALL_ID
    assert (made.from_tag, made.to_tag) == ("9fxced76sl", "314159")
    assert made.from_.uri_text == "sip:alice@atlanta.example.com"
    assert made.to.uri_text == "sip:bob@biloxi.example.com"
    assert made.max_forwards == 70
    read = parse_datagram(b"%b\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\n%b" % tuple(made.to_bytes().split(b"\r\n", 1)))
    assert read.cseq == made.cseq  # type: ignore[union-attr]  # a Malformed has no CSeq and fails here


def test_numbers_grow_by_one() -> None:
    dialog = at_alice()
    assert [dialog.request(method).cseq.number for method in ("INFO", "INVITE", "BYE")] == [3, 4, 5]
    dialog.ack(4)
    assert dialog.local_seq == 5


def test_the_server_begins_to_count_with_a_number_below_2_to_the_31() -> None:
    dialog = at_bob()
    assert dialog.request("INFO").cseq.number == 1
    assert dialog.request("BYE").cseq.number == 2


def test_numbers_end_below_2_to_the_31() -> None:
    dialog = at_alice()
    dialog.local_seq = MAX_CSEQ - 1
    assert dialog.request("INFO").cseq.number == 2**31 - 1
    with pytest.raises(ValueError, match="no CSeq number left"):
        dialog.request("BYE")
    assert dialog.local_seq == 2**31 - 1


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_are_no_requests_of_their_own(method: str) -> None:
    dialog = at_alice()
    with pytest.raises(ValueError, match=f"{method} bears the number"):
        dialog.request(method)
    assert dialog.local_seq == 2


def test_a_method_that_is_no_word_costs_no_number() -> None:
    dialog = at_alice()
    with pytest.raises(ValueError, match="no blank, CR or LF"):
        dialog.request("BYE sip:x SIP/2.0\r\nX:")
    assert dialog.local_seq == 2


def test_the_ack_of_a_2xx_has_the_invites_number_and_goes_the_dialogs_way() -> None:
    dialog = at_alice()
    dialog.request("INFO")
    ack = dialog.ack(2)
    assert (ack.method, ack.cseq) == ("ACK", CSeq(2, "ACK"))
    assert ack.uri_text == "sip:bob@client.biloxi.example.com;transport=tcp"
    assert tuple(ack.headers.texts("Route")) == ROUTES_OF_ALICE
    assert (ack.call_id, ack.from_tag, ack.to_tag) == (CALL_ID, "9fxced76sl", "314159")


# ---- the way


def test_with_no_routes_a_request_goes_to_the_remote_target() -> None:
    bye = at_alice(with_line(OK_AT_ALICE, "Record-Route", None)).request("BYE")
    assert bye.uri_text == "sip:bob@client.biloxi.example.com;transport=tcp"
    assert "Route" not in bye.headers


def test_behind_a_loose_router_the_request_uri_is_the_remote_target() -> None:
    dialog = at_alice()
    bye = dialog.request("BYE")
    assert bye.uri_text == "sip:bob@client.biloxi.example.com;transport=tcp"
    assert tuple(bye.headers.texts("Route")) == ROUTES_OF_ALICE
    assert dialog.next_hop == "sip:ss1.atlanta.example.com;lr"


def strict(routes: str, contact: str = "<sip:user@remoteua>") -> Dialog:
    return at_bob(with_line(with_line(INVITE_AT_BOB, "Record-Route", f"Record-Route: {routes}"), "Contact", f"Contact: {contact}"))


def test_the_rfcs_example_of_a_strict_router() -> None:
    dialog = strict("<sip:proxy1>,<sip:proxy2>,<sip:proxy3;lr>,<sip:proxy4>")
    made = dialog.request("INFO")
    assert made.uri_text == dialog.next_hop == "sip:proxy1"
    assert made.headers.texts("Route") == ["<sip:proxy2>", "<sip:proxy3;lr>", "<sip:proxy4>", "<sip:user@remoteua>"]


def test_a_single_strict_router_gets_the_remote_target_as_its_only_route() -> None:
    dialog = strict("<sip:proxy1;maddr=192.0.2.7>", "<sip:user@remoteua;transport=tcp>")
    ack = dialog.ack(2)
    assert ack.uri_text == "sip:proxy1;maddr=192.0.2.7"
    assert ack.headers.texts("Route") == ["<sip:user@remoteua;transport=tcp>"]


def test_what_no_request_uri_may_hold_is_stripped_from_a_strict_routers_uri() -> None:
    dialog = strict("<sip:proxy1;method=INVITE;transport=tcp?a=b>;q=1,<sip:proxy2;method=INVITE>")
    made = dialog.request("INFO")
    assert made.uri_text == "sip:proxy1;transport=tcp"
    assert made.headers.texts("Route") == ["<sip:proxy2;method=INVITE>", "<sip:user@remoteua>"]


def test_lr_anywhere_else_makes_no_loose_router() -> None:
    for route in ("<sip:a;lr@proxy1>", '";lr" <sip:proxy1>', "<sip:proxy1>;lr", "<sip:proxy1;xlr;x=lr>"):
        assert strict(route).request("INFO").uri_text == strict(route).next_hop
    for route in ("<sip:proxy1;LR>", "<sip:proxy1;lr=true>", "<sip:proxy1;%6cr>"):
        assert strict(route).request("INFO").uri_text == "sip:user@remoteua"


# ---- what the peer sends


def test_the_first_request_of_the_callee_sets_its_number() -> None:
    dialog = at_alice()
    assert dialog.receive(in_dialog("INFO", 0))
    assert dialog.remote_seq == 0


def test_a_lower_number_is_out_of_order_and_changes_nothing() -> None:
    dialog = at_bob()
    assert dialog.receive(in_dialog("INFO", 10))
    assert not dialog.receive(in_dialog("INFO", 9))
    assert not dialog.receive(in_dialog("INFO", 10))
    assert dialog.remote_seq == 10


def test_gaps_are_in_order() -> None:
    dialog = at_bob()
    assert [dialog.receive(in_dialog("INFO", number)) for number in (3, 5, 1000, MAX_CSEQ)] == [True] * 4
    assert dialog.remote_seq == MAX_CSEQ


def test_ack_and_cancel_are_in_order_with_any_number_and_leave_it() -> None:
    dialog = at_bob()
    dialog.receive(in_dialog("INFO", 10))
    assert dialog.receive(in_dialog("ACK", 2))
    assert dialog.receive(in_dialog("CANCEL", 11))
    assert dialog.remote_seq == 10


def test_a_number_that_is_none_is_the_senders_fault() -> None:
    dialog = at_bob()
    received = in_dialog("INFO", 3)
    received.headers.set("CSeq", f"{2**31} INFO")
    with pytest.raises(SipParseError) as caught:
        dialog.receive(received)
    assert caught.value.field == "CSeq"
    assert dialog.remote_seq == 2


def test_a_target_refresh_replaces_the_remote_target_and_nothing_else() -> None:
    dialog = at_bob()
    dialog.refresh_target(in_dialog("INVITE", 3, contact="<sip:alice@192.0.2.5>", record_route="<sip:c;lr>"))
    assert dialog.remote_target == dialog.request("BYE").uri_text == "sip:alice@192.0.2.5"
    assert dialog.route_set == ROUTES_OF_BOB


def test_a_2xx_to_a_target_refresh_replaces_the_remote_target() -> None:
    dialog = at_alice()
    ok = with_line(OK_AT_ALICE, "Contact", "Contact: <sip:bob@192.0.2.6>")
    dialog.refresh_target(response(with_line(ok, "Record-Route", None)))
    assert dialog.remote_target == "sip:bob@192.0.2.6"
    assert dialog.route_set == ROUTES_OF_ALICE


def test_without_contact_the_remote_target_stays() -> None:
    dialog = at_bob()
    dialog.refresh_target(in_dialog("UPDATE", 3))
    assert dialog.remote_target == "sip:alice@client.atlanta.example.com;transport=tcp"


def test_a_bad_contact_leaves_the_remote_target() -> None:
    dialog = at_bob()
    with pytest.raises(SipParseError):
        dialog.refresh_target(in_dialog("UPDATE", 3, contact="<http://a>"))
    assert dialog.remote_target == "sip:alice@client.atlanta.example.com;transport=tcp"


def test_which_methods_refresh_the_target() -> None:
    assert {"INVITE", "UPDATE"} <= TARGET_REFRESH
    assert not TARGET_REFRESH & {"ACK", "BYE", "OPTIONS", "INFO", "PRACK"}


# ---- usages


def test_a_dialog_lives_while_a_usage_lives() -> None:
    dialog = at_alice()
    session, subscription = object(), object()
    dialog.begin(session)
    dialog.begin(subscription)
    assert dialog.usages == (session, subscription)
    assert not dialog.end(session)
    assert dialog.end(subscription)
    assert not dialog.usages


def test_ending_twice_is_no_second_last_end() -> None:
    dialog = at_alice()
    session = object()
    dialog.begin(session)
    assert dialog.end(session)
    assert not dialog.end(session)


def test_usages_that_are_equal_are_still_two() -> None:
    dialog = at_alice()
    one, two = ["refer"], ["refer"]
    dialog.begin(one)
    dialog.begin(two)
    assert not dialog.end(two)
    assert dialog.usages[0] is one


def test_ending_what_never_began_ends_nothing() -> None:
    dialog = at_alice()
    dialog.begin("session")
    assert not dialog.end("other")
    assert dialog.usages == ("session",)


# ---- how much it holds


def test_a_dialog_holds_no_message() -> None:
    dialog = at_bob()
    values = [getattr(dialog, name) for name in Dialog.__slots__]
    assert {type(value) for value in values} <= {str, int, bool, tuple, type(None)}
    assert not hasattr(dialog, "__dict__")
