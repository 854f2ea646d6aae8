import pytest

from ringback.sdp.answer import DEFAULT_PREFERENCES, NotAcceptable, Preferences, make_answer, make_refusal
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV
from ringback.sdp.offer_answer import OfferAnswer
from tests.sdp.writing import below_the_session, described

EVENTS = "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15"
CAPABILITIES = described(
    f"m=audio 30000 RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\n{EVENTS}\na=ptime:20", user="ann", host="192.0.2.10", version=1
)
DIRECTIONS = (SENDRECV, SENDONLY, RECVONLY, INACTIVE)


def answered(offer: str, capabilities: str | None = None, preferences: Preferences = DEFAULT_PREFERENCES) -> list[str]:
    """The m= lines of the answer with what is below them, which both sides take."""
    ours = CAPABILITIES if capabilities is None else described(capabilities, user="ann", host="192.0.2.10", version=1)
    theirs = described(offer)
    answer = make_answer(theirs, ours, preferences)
    offerer, answerer = OfferAnswer(), OfferAnswer()
    offerer.offer(theirs)
    answerer.receive_offer(theirs)
    answerer.answer(answer)
    offerer.receive_answer(answer)
    return below_the_session(answer)


def media_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("m=")]


def test_an_answer_has_our_origin_and_address_the_codecs_in_common_and_our_attributes():
    offer = described("m=audio 31000 RTP/AVP 0 3 8 96\na=rtpmap:96 telephone-event/8000\na=fmtp:96 0-16\na=ptime:30")
    answer = make_answer(offer, CAPABILITIES)
    assert answer.to_bytes().decode().split("\r\n") == [
        "v=0",
        "o=ann 4711 1 IN IP4 192.0.2.10",
        "s=-",
        "c=IN IP4 192.0.2.10",
        "t=0 0",
        "m=audio 30000 RTP/AVP 0 8 96",
        "a=ptime:20",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=sendrecv",
        "",
    ]


def test_every_m_line_is_answered_in_its_place_and_what_we_cannot_do_has_port_0():
    """§6."""
    assert media_lines(
        answered(
            "m=video 31002/2 RTP/AVP 31 34\na=sendonly\nm=audio 31000 RTP/AVP 0\nm=application 31004 UDP/BFCP *\nm=audio 31006 RTP/AVP 8"
        )
    ) == ["m=video 0 RTP/AVP 31", "m=audio 30000 RTP/AVP 0", "m=application 0 UDP/BFCP *", "m=audio 0 RTP/AVP 8"]


def test_nothing_stands_below_a_refused_stream():
    assert answered("m=video 31002 RTP/AVP 31\na=rtpmap:31 H261/90000\nm=audio 31000 RTP/AVP 0")[:2] == [
        "m=video 0 RTP/AVP 31",
        "m=audio 30000 RTP/AVP 0",
    ]


def test_a_stream_offered_with_port_0_is_answered_with_port_0():
    """§8.2; and what is no stream takes none of ours."""
    assert media_lines(answered("m=audio 0 RTP/AVP 0\nm=audio 31000 RTP/AVP 0")) == ["m=audio 0 RTP/AVP 0", "m=audio 30000 RTP/AVP 0"]


def test_a_stream_that_lives_in_a_bundle_only_is_refused():
    assert media_lines(answered("m=audio 31000 RTP/AVP 0\nm=audio 0 RTP/AVP 0\na=bundle-only")) == [
        "m=audio 30000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 0",
    ]


@pytest.mark.parametrize("offer", ["", "m=audio 0 RTP/AVP 0", "m=video 0 RTP/AVP"])
def test_an_offer_that_wants_no_stream_is_answered_with_none(offer: str):
    """§6: zero m= lines are answered by zero."""
    assert len(answered(offer)) == len(media_lines([offer]))


@pytest.mark.parametrize("offered", DIRECTIONS)
@pytest.mark.parametrize("own", DIRECTIONS)
@pytest.mark.parametrize("wanted", DIRECTIONS)
def test_direction_is_the_offers_seen_from_us_as_far_as_we_can_and_will(offered: str, own: str, wanted: str):
    """§6.1."""
    lines = answered(f"m=audio 31000 RTP/AVP 0\na={offered}", f"m=audio 30000 RTP/AVP 0\na={own}", Preferences(direction=wanted))
    sends = offered in (SENDRECV, RECVONLY) and own in (SENDRECV, SENDONLY) and wanted in (SENDRECV, SENDONLY)
    receives = offered in (SENDRECV, SENDONLY) and own in (SENDRECV, RECVONLY) and wanted in (SENDRECV, RECVONLY)
    expected = {(True, True): SENDRECV, (True, False): SENDONLY, (False, True): RECVONLY, (False, False): INACTIVE}[sends, receives]
    assert [line for line in lines if line[2:] in DIRECTIONS] == [f"a={expected}"]


def test_a_direction_of_the_whole_session_is_one_of_each_stream():
    offer = described("m=audio 31000 RTP/AVP 0", session="a=sendonly")
    answer = make_answer(offer, described("m=audio 30000 RTP/AVP 0", session="a=sendrecv\na=group:LS 1\na=tool:bell"))
    assert [medium.direction for medium in answer.media] == [RECVONLY]
    assert (answer.all("a"), below_the_session(answer)[-1]) == (["tool:bell"], "a=recvonly")


def test_codecs_stand_in_the_offers_order_or_in_ours_if_wished():
    """§6.1: the offer's order is recommended."""
    offer = "m=audio 31000 RTP/AVP 0 101 8\n" + EVENTS
    assert media_lines(answered(offer)) == ["m=audio 30000 RTP/AVP 0 101 8"]
    assert media_lines(answered(offer, preferences=Preferences(by_our_order=True))) == ["m=audio 30000 RTP/AVP 8 0 101"]


def test_one_codec_alone_with_the_events_beside_it():
    """§10.2: for whoever cannot change codecs."""
    offer = "m=audio 31000 RTP/AVP 101 0 8\n" + EVENTS
    assert media_lines(answered(offer, preferences=Preferences(one_codec=True))) == ["m=audio 30000 RTP/AVP 101 0"]


def test_payload_type_numbers_are_the_offers_and_codecs_are_told_by_name_rate_and_channels():
    """§6.1."""
    ours = "m=audio 30000 RTP/AVP 96 97 0\na=rtpmap:96 opus/48000/2\na=rtpmap:97 L16/16000"
    theirs = (
        "m=audio 31000 RTP/AVP 97 98 96 99\na=rtpmap:97 OPUS/48000/2\na=rtpmap:98 L16/16000/2\na=rtpmap:96 PCMU/8000\na=rtpmap:99 L16/16000"
    )
    assert answered(theirs, ours) == [
        "m=audio 30000 RTP/AVP 97 96 99",
        "a=rtpmap:97 OPUS/48000/2",
        "a=rtpmap:96 PCMU/8000",
        "a=rtpmap:99 L16/16000",
        "a=sendrecv",
    ]


def test_feedback_by_payload_type_is_not_said_of_another():
    lines = answered("m=audio 31000 RTP/AVP 0", "m=audio 30000 RTP/AVP 0\na=rtcp-fb:* nack")
    assert lines == ["m=audio 30000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv"]


def test_one_port_for_rtp_and_rtcp_only_where_offered():
    """RFC 5761 §5.1.1."""
    ours = "m=audio 30000 RTP/AVP 0\na=rtcp-mux\na=rtcp-rsize"
    assert "a=rtcp-mux" in answered("m=audio 31000 RTP/AVP 0\na=rtcp-mux", ours)
    assert "a=rtcp-rsize" not in answered("m=audio 31000 RTP/AVP 0\na=rtcp-mux", ours)
    assert "a=rtcp-mux" not in answered("m=audio 31000 RTP/AVP 0", ours)
    assert "a=rtcp-mux" not in answered("m=audio 31000 RTP/AVP 0\na=rtcp-mux", "m=audio 30000 RTP/AVP 0")


def test_bandwidth_and_ptime_are_what_we_wish_to_receive():
    """§6.1."""
    lines = answered("m=audio 31000 RTP/AVP 0\nb=AS:80\na=ptime:60", "m=audio 30000 RTP/AVP 0\nb=AS:64\na=ptime:20")
    assert ("b=AS:64" in lines, "a=ptime:20" in lines, "b=AS:80" in lines) == (True, True, False)


def test_the_time_is_the_offers():
    """§6."""
    offer = described("m=audio 31000 RTP/AVP 0", time="3900000000 3900003600")
    offer.add_line("t", "3900100000 3900103600")
    answer = make_answer(offer, CAPABILITIES)
    assert answer.all("t") == ["3900000000 3900003600", "3900100000 3900103600"]


def test_streams_without_rtp_are_agreed_on_by_their_formats():
    ours = "m=image 30000 udptl t38\nm=message 30002 TCP/MSRP *"
    assert answered("m=message 31002 TCP/MSRP *\na=path:msrp://x\nm=image 31000 udptl t37 t38", ours) == [
        "m=message 30002 TCP/MSRP *",
        "a=sendrecv",
        "m=image 30000 udptl t38",
        "a=sendrecv",
    ]


def test_the_hold_of_rfc_2543_is_answered_by_its_direction_and_with_our_address():
    """§8.4, RFC 6337 §5.4: direction goes by the attribute, not by the address."""
    for host in ("IP4 0.0.0.0", "IP6 ::"):
        lines = answered(f"m=audio 31000 RTP/AVP 0\nc=IN {host}")
        assert lines == ["m=audio 30000 RTP/AVP 0", "a=ptime:20", "a=rtpmap:0 PCMU/8000", "a=sendrecv"]


def test_what_was_offered_without_an_address_is_answered_all_the_same():
    offer = described("m=audio 31000 RTP/AVP 0")
    offer.connection = None
    assert media_lines(below_the_session(make_answer(offer, CAPABILITIES))) == ["m=audio 30000 RTP/AVP 0"]


def test_capabilities_without_an_address_object_to_none():
    ours = CAPABILITIES.copy()
    ours.connection = None
    assert make_answer(described("m=audio 31000 RTP/AVP 0\nc=IN IP6 2001:db8::1"), ours).media[0].port == 30_000


GROUP = "m=audio 31000 RTP/AVP 0 3\nc=IN IP4 233.252.0.1/16\nb=AS:70\na=ptime:40\na=recvonly"


def test_a_stream_of_a_group_has_one_view():
    """§6.2: address, port, direction, ptime and bandwidth are the offer's; formats are a subset."""
    ours = "m=audio 30000 RTP/AVP 0 8\nb=AS:64\na=ptime:20"
    assert answered(GROUP, ours, Preferences(takes_multicast=True)) == [
        "m=audio 31000 RTP/AVP 0",
        "c=IN IP4 233.252.0.1/16",
        "b=AS:70",
        "a=ptime:40",
        "a=rtpmap:0 PCMU/8000",
        "a=recvonly",
    ]
    without_ptime = GROUP.replace("a=ptime:40\n", "")
    assert "a=ptime:20" in answered(without_ptime, ours, Preferences(takes_multicast=True))


@pytest.mark.parametrize(
    ("offer", "code", "text"),
    [
        ("m=video 31000 RTP/AVP 31", 304, "Media type not available: video"),
        ("m=audio 31000 RTP/SAVP 0", 302, "Incompatible transport protocol: RTP/SAVP"),
        ("m=audio 31000 rtp/avp 0", 302, "Incompatible transport protocol: rtp/avp"),
        (f"m={'x' * 5_000} 31000 RTP/AVP 31", 304, f"Media type not available: {'x' * 32}"),
        ("m=audio 31000 RTP/AVPF 0", 302, "Incompatible transport protocol: RTP/AVPF"),
        ("m=audio 31000 RTP/AVP 0\nc=ATM NSAP 47.0091", 300, "Incompatible network protocol: ATM"),
        ("m=audio 31000 RTP/AVP 0\nc=IN IP6 2001:db8::1", 301, "Incompatible network address type: IP6"),
        (GROUP, 330, "Multicast not available"),
        ("m=audio 31000 RTP/AVP 3 4", 305, "Incompatible media format: no audio format in common"),
        ("m=audio 31000 RTP/AVP 99", 305, "Incompatible media format: no audio format in common"),
        ("m=audio 31000 RTP/AVP 3 101\n" + EVENTS, 305, "Incompatible media format: no audio format in common"),
    ],
)
def test_an_offer_of_which_nothing_can_be_used_is_not_acceptable_and_a_warning_says_why(offer: str, code: int, text: str):
    """§6.1; RFC 3261 §20.43."""
    with pytest.raises(NotAcceptable, match=text) as caught:
        make_answer(described(offer), CAPABILITIES)
    assert (caught.value.warn_code, caught.value.warn_text) == (code, text)


def test_what_came_nearest_is_said_first_and_each_reason_once():
    offer = "m=video 31002 RTP/AVP 31\nm=audio 31000 RTP/SAVP 0\nm=audio 31000 RTP/AVP 3\nm=video 31004 RTP/AVP 31\nm=text 0 RTP/AVP 98"
    with pytest.raises(NotAcceptable) as caught:
        make_answer(described(offer), CAPABILITIES)
    assert [objection.warn_code for objection in caught.value.objections] == [305, 302, 304]


def test_who_can_do_nothing_accepts_nothing():
    for ours in ("", "m=audio 0 RTP/AVP 0"):
        with pytest.raises(NotAcceptable) as caught:
            make_answer(described("m=audio 31000 RTP/AVP 0"), described(ours))
        assert caught.value.warn_code == 304


def test_of_two_media_of_a_kind_each_answers_one_that_it_fits():
    ours = "m=audio 30000 RTP/AVP 9\nm=audio 30002 RTP/AVP 0\nm=audio 30004 RTP/SAVP 0"
    assert media_lines(answered("m=audio 31000 RTP/AVP 0\nm=audio 31002 RTP/SAVP 0\nm=audio 31004 RTP/AVP 9 0", ours)) == [
        "m=audio 30002 RTP/AVP 0",
        "m=audio 30004 RTP/SAVP 0",
        "m=audio 30000 RTP/AVP 9",
    ]


def test_a_stream_keeps_its_port_when_one_before_it_ends():
    ours = described("m=audio 30000 RTP/AVP 0\nm=audio 30002 RTP/AVP 0", user="ann", version=1)
    first = make_answer(described("m=audio 31000 RTP/AVP 0\nm=audio 31002 RTP/AVP 0"), ours)
    second = make_answer(described("m=audio 0 RTP/AVP 0\nm=audio 31002 RTP/AVP 0"), ours, former=first)
    assert [medium.port for medium in second.media] == [0, 30_002]
    third = make_answer(described("m=audio 31008 RTP/AVP 0\nm=audio 31002 RTP/AVP 0"), ours, former=second)
    assert [medium.port for medium in third.media] == [30_000, 30_002]


def test_the_answer_to_an_offer_that_changes_nothing_is_the_same_and_one_that_changes_something_is_the_next():
    """§8."""
    offer = described("m=audio 31000 RTP/AVP 0 8")
    first = make_answer(offer, CAPABILITIES)
    assert make_answer(offer, CAPABILITIES, former=first) == first
    second = make_answer(described("m=audio 31000 RTP/AVP 0"), CAPABILITIES, former=first)
    assert second.origin == first.origin.next_version()


def test_an_offer_that_came_in_a_response_is_refused_stream_by_stream():
    """RFC 6337 §5.2.4."""
    offer = described("m=audio 31000 RTP/AVP 3 4\nm=video 31002 RTP/AVP 31", time="0 3900000000")
    session = OfferAnswer()
    session.receive_offer(offer)
    refusal = make_refusal(offer, CAPABILITIES)
    session.answer(refusal)
    assert below_the_session(refusal) == ["m=audio 0 RTP/AVP 3", "m=video 0 RTP/AVP 31"]
    assert session.streams == []
    assert make_refusal(offer, CAPABILITIES, former=refusal) == refusal


def test_capabilities_are_left_as_they_were():
    before = CAPABILITIES.to_bytes()
    make_answer(described("m=audio 31000 RTP/AVP 0\na=sendonly"), CAPABILITIES)
    assert CAPABILITIES.to_bytes() == before
