"""Routing decisions as values (RFC 3261 §16.5): what they say without a network."""

import pytest

from ringback.address import Endpoint, Flow
from ringback.message.uri import parse_uri
from ringback.server.location.binding import Binding
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.routing import Forward, Gateway, Location, Redirect, Reject, first, following, reached_nobody


def bound(contact: str, q: float = 1.0, *, path: str = "", registered_at: float = 0.0, flow: str = "", instance: str = "") -> Binding:
    return Binding(1, "sip:bob@x", contact, "", q, registered_at + 3600, 3600, "c", 1, path, flow=flow, instance=instance)


def uris(forward: Forward) -> list[list[str]]:
    return [[destination.uri for destination in step] for step in forward.steps()]


def test_forward_tries_all_at_once_unless_told_otherwise() -> None:
    assert uris(Forward("sip:a@x", "sip:b@x")) == [["sip:a@x", "sip:b@x"]]
    assert uris(Forward("sip:a@x", "sip:b@x", one_by_one=True)) == [["sip:a@x"], ["sip:b@x"]]
    assert uris(Forward("sip:a@x")) == [["sip:a@x"]]
    assert uris(Forward(parse_uri("sip:a@x"), "tel:+1")) == [["sip:a@x", "tel:+1"]]


def test_forward_groups_bindings_by_q() -> None:
    bindings = [bound("sip:a@x", 0.5), bound("sip:b@x"), bound("sip:c@x", 0.5), bound("sip:d@x", 0.0)]
    assert uris(Forward(*bindings)) == [["sip:b@x"], ["sip:a@x", "sip:c@x"], ["sip:d@x"]]
    assert uris(Forward(*bindings, one_by_one=True)) == [["sip:a@x"], ["sip:b@x"], ["sip:c@x"], ["sip:d@x"]]


def test_no_target_stands_twice() -> None:
    assert uris(Forward("sip:a@x", "sip:a@X", "SIP:a@x", "sip:a@x;transport=tcp", "sip:A@x")) == [
        ["sip:a@x", "sip:a@x;transport=tcp", "sip:A@x"]
    ]
    assert uris(Forward("tel:+1-2", "tel:+12", "tel:+13")) == [["tel:+1-2", "tel:+13"]]


def test_a_target_that_is_no_uri_is_a_target_of_its_own() -> None:
    """Its branch fails when its turn comes; the others are tried all the same."""
    assert uris(Forward("sip:a@x", "no uri", "no uri"))[0][:2] == ["sip:a@x", "no uri"]


def test_a_binding_brings_its_path() -> None:
    """RFC 3327 §5.4: the stored Path becomes Route, its order kept."""
    path = '<sip:p1.example;lr>, <sip:p2.example;lr;x="a,b">'
    [[one]] = Forward(bound("sip:a@x", path=path)).steps()
    assert one == Destination("sip:a@x", ("<sip:p1.example;lr>", '<sip:p2.example;lr;x="a,b">'), aor="sip:bob@x")


def test_a_destination_is_a_target_as_it_stands() -> None:
    flow = Flow(Endpoint("UDP", "192.0.2.1", 5060), ("192.0.2.2", 5060))
    one = Destination("sip:a@x", ("<sip:p.example;lr>",), flow)
    assert Forward(one).steps() == [[one]]
    assert Forward(one, "sip:b@x").steps() == [[one, Destination("sip:b@x")]]


def test_the_flows_of_one_phone_are_one_destination() -> None:
    """RFC 5626 §7: never two contacts of one instance at a time; the one registered last leads."""
    old = bound("sip:a@1", instance="urn:1", registered_at=10, flow="f1")
    new = bound("sip:a@2", instance="urn:1", registered_at=20, flow="f2")
    [[one, two]] = Forward(old, new, bound("sip:b@3", instance="urn:2")).steps()
    older = Destination("sip:a@1", flow="f1", aor="sip:bob@x", has_gruu=True)
    assert one == Destination("sip:a@2", flow="f2", alternatives=(older,), aor="sip:bob@x", has_gruu=True)
    assert two == Destination("sip:b@3", aor="sip:bob@x", has_gruu=True)


@pytest.mark.parametrize("ring_for", [0, -1.0])
def test_forward_needs_targets_and_a_time_to_ring(ring_for: float) -> None:
    with pytest.raises(ValueError, match="Reject"):
        Forward()
    with pytest.raises(ValueError, match="ring_for"):
        Forward("sip:a@x", ring_for=ring_for)
    with pytest.raises(ValueError, match="ring_for"):
        Location(ring_for=ring_for)
    with pytest.raises(ValueError, match="ring_for"):
        Gateway("pstn", ring_for=ring_for)


# What follows a failure.


@pytest.mark.parametrize("status", [400, 403, 404, 408, 410, 415, 420, 480, 481, 484, 486, 488, 500, 503, 504])
def test_a_decision_alone_follows_every_failure(status: int) -> None:
    voicemail = Forward("sip:voicemail@x")
    assert following(voicemail, status) is voicemail
    assert following({"any": voicemail}, status) is voicemail
    assert following(None, status) is None


@pytest.mark.parametrize("status", [300, 302, 401, 407, 487, 600, 603, 604, 606])
def test_what_is_no_failure_or_ends_everything_has_to_be_named(status: int) -> None:
    voicemail = Forward("sip:voicemail@x")
    assert following(voicemail, status) is None
    assert following({"any": voicemail}, status) is None
    assert following({status: voicemail, "any": Reject(480)}, status) is voicemail


@pytest.mark.parametrize(
    ("status", "condition"),
    [(486, "busy"), (600, "busy"), (408, "no_answer"), (480, "no_answer"), (430, "unregistered")],
)
def test_conditions_stand_for_statuses(status: int, condition: str) -> None:
    wanted = Forward("sip:wanted@x")
    assert following({condition: wanted, "any": Reject(480)}, status) is wanted
    assert following({condition: Reject(480), status: wanted}, status) is wanted
    assert following({condition: wanted}, 488) is None


def test_nobody_there_is_unregistered_whatever_its_status() -> None:
    voicemail = Forward("sip:voicemail@x")
    for status in (404, 480):
        assert following({"unregistered": voicemail, status: Reject(500)}, status, found_nobody=True) is voicemail
        assert following({"unregistered": voicemail}, status) is None
        assert following({"any": voicemail}, status, found_nobody=True) is voicemail


@pytest.mark.parametrize("key", [200, 700, "bussy", None, 486.0])
def test_else_takes_statuses_and_conditions(key: object) -> None:
    with pytest.raises(ValueError, match="no_answer"):
        Forward("sip:a@x", else_={key: Reject(480)})  # type: ignore[dict-item]


def test_else_and_first_take_decisions() -> None:
    with pytest.raises(TypeError, match="else_ takes decisions"):
        Forward("sip:a@x", else_="sip:b@x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="else_ takes decisions"):
        Location(else_={486: "sip:b@x"})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="first takes decisions"):
        first("sip:b@x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="first needs"):
        first()


def test_a_location_is_of_a_user() -> None:
    assert Location(parse_uri("sip:bob@example.com")).uri == "sip:bob@example.com"
    for nonsense in ("bob", "", "sip:", "sip:bob@[x"):
        with pytest.raises(ValueError, match="Location takes"):
            Location(nonsense)


def test_first_goes_on_where_nobody_was_reached() -> None:
    assert [status for status in (404, 408, 410, 430, 480, 500, 503, 504) if not reached_nobody(status)] == []
    assert [status for status in (302, 401, 403, 407, 415, 484, 486, 487, 488, 600, 603) if reached_nobody(status)] == []


# Answers of our own.


def test_redirect_and_reject_take_the_statuses_that_fit() -> None:
    assert Redirect("sip:a@x").status == 302
    assert Redirect("sip:a@x", status=301).contacts == ("sip:a@x",)
    assert (Reject(404).reason, Reject(499).reason, Reject(480, "Asleep").reason) == ("Not Found", "Rejected", "Asleep")
    for status in (200, 400):
        with pytest.raises(ValueError, match="3xx"):
            Redirect("sip:a@x", status=status)
    with pytest.raises(ValueError, match="contact"):
        Redirect()
    for status in (200, 302, 700):
        with pytest.raises(ValueError, match="400"):
            Reject(status)


@pytest.mark.parametrize("text", ["bad\r\nVia: injected", "bad\nx", "nul\0"])
def test_no_decision_holds_a_line_end(text: str) -> None:
    with pytest.raises(ValueError):
        Reject(480, text)
    with pytest.raises(ValueError):
        Reject(480, headers=[("X", text)])
    with pytest.raises(ValueError):
        Reject(480, headers=[(text, "x")])
    with pytest.raises(ValueError):
        Redirect(f"sip:{text}@x")


def test_decisions_show_what_they_are() -> None:
    assert repr(Forward("sip:a@x", "sip:b@x")) == "Forward(sip:a@x, sip:b@x)"
    assert repr(Redirect("sip:a@x")) == "Redirect(sip:a@x, status=302)"
    assert repr(Reject(404)) == "Reject(404, 'Not Found')"
    chain = first(Location(), Location("sip:b@x", ring_for=20), Gateway("pstn", else_=Reject(480)))
    assert repr(chain) == "first(Location(), Location(sip:b@x, ring_for=20), Gateway('pstn', else_=Reject(480, 'Temporarily Unavailable')))"
    one_by_one = Forward("sip:a@x", one_by_one=True, ring_for=5, recurse=False)
    assert repr(one_by_one) == "Forward(sip:a@x, one_by_one=True, ring_for=5, recurse=False)"
