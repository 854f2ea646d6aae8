"""Whatever a peer may write, what comes of it is an answer that fits, NotAcceptable or SdpError."""

from hypothesis import given
from hypothesis import strategies as st

from ringback.sdp.answer import NotAcceptable, Preferences, make_answer, make_refusal
from ringback.sdp.description import SessionDescription
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV
from ringback.sdp.errors import SdpError
from ringback.sdp.hold import held, is_held, resumed
from ringback.sdp.offer import make_offer
from ringback.sdp.offer_answer import OfferAnswer
from tests.sdp.writing import described

OURS = described(
    """m=audio 30000 RTP/AVP 0 96 97 101
    a=rtpmap:96 AMR/8000
    a=fmtp:96 octet-align=1
    a=rtpmap:97 iLBC/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=rtcp-mux
    m=video 30002 RTP/AVP 31
    m=image 30004 udptl t38""",
    user="ann",
    host="192.0.2.10",
)
DIRECTIONS = st.sampled_from([SENDRECV, SENDONLY, RECVONLY, INACTIVE])
ANY_LINE = st.characters(exclude_characters="\0\r\n", codec="utf-8")
ATTRIBUTES = st.sampled_from(["sendonly", "recvonly", "inactive", "rtcp-mux", "rtcp-rsize", "bundle-only"]) | st.sampled_from(
    [
        "ptime:0",
        "ptime:0.000001",
        "ptime:999999.999999",
        "rtpmap:96 amr/8000",
        "fmtp:96 octet-align=1",
        "rtpmap:98 ilbc/8000",
        "fmtp:98 mode=20;;=;mode",
        "rtpmap:101 telephone-event/8000",
        "rtpmap:0 speex/16000",
        "rtpmap:96 AMR/8000/9",
        "fmtp:96",
    ]
)
CONNECTIONS = st.sampled_from(
    [
        "IN IP4 192.0.2.20",
        "IN IP4 0.0.0.0",
        "IN IP6 ::",
        "IN IP4 233.252.0.1/16/3",
        "IN IP6 ff1e::9/2",
        "ATM NSAP 47",
        "IN IP4 a\xe9.example",
    ]
)
LINES = ATTRIBUTES.map("a={}".format) | ATTRIBUTES.map("a={}".format) | st.text(ANY_LINE, max_size=9).map("a={}".format)
USUAL_MEDIA_LINES = st.sampled_from(["m=audio 31000 RTP/AVP 0 96 101", "m=video 31002 RTP/AVP 31", "m=image 31004 udptl t38"])
MEDIA_LINES = (
    USUAL_MEDIA_LINES
    | USUAL_MEDIA_LINES
    | st.builds(
        "m={} {} {} {}".format,
        st.sampled_from(["audio", "audio", "AUDIO", "video", "image", "%", "\xe9"]),
        st.sampled_from(["0", "31000", "31000/2", "65535"]),
        st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/AVPF", "udptl", "rtp/avp"]),
        st.lists(st.sampled_from(["0", "31", "96", "98", "101", "t38", "*", "999", "\u0664"]), min_size=1, max_size=5).map(" ".join),
    )
)
CONNECTION_LINES = st.just([]) | st.just([]) | CONNECTIONS.map(lambda connection: [f"c={connection}"])
MEDIA = st.builds(lambda first, second, rest: [first, *second, *rest], MEDIA_LINES, CONNECTION_LINES, st.lists(LINES, max_size=6))


@st.composite
def descriptions(draw: st.DrawFn) -> SessionDescription | None:
    """What the parser takes of it."""
    lines = ["v=0", f"o=- 1 {draw(st.integers(0, 2**64 - 1))} IN IP4 192.0.2.20", "s=-", "c=IN IP4 192.0.2.20", "t=0 0"]
    lines += draw(st.lists(st.sampled_from(["t=1 2", "r=7d 1h 0", "a=sendonly", "a=group:LS 1"]), max_size=3))
    lines += [line for medium in draw(st.lists(MEDIA, min_size=draw(st.integers(0, 2)), max_size=4)) for line in medium]
    try:
        return SessionDescription.parse("\r\n".join([*lines, ""]).encode())
    except SdpError:
        return None


@given(st.data())
def test_every_offer_is_answered_as_it_must_be_or_not_acceptable(data: st.DataObject):
    session = OfferAnswer()
    for _ in range(data.draw(st.integers(1, 4))):
        offer = data.draw(descriptions())
        if offer is None:
            continue
        session.receive_offer(offer)
        assert isinstance(is_held(offer), bool)
        preferences = data.draw(st.builds(Preferences, DIRECTIONS, st.booleans(), st.booleans(), st.booleans()))
        try:
            answer = make_answer(offer, OURS, preferences, former=session.sent)
        except NotAcceptable:
            answer = make_refusal(offer, OURS, former=session.sent)
        session.answer(answer)
        assert SessionDescription.parse(answer.to_bytes()) == answer
        assert {stream.local.kind.lower() for stream in session.streams} <= {"audio", "video", "image"}


@given(st.data())
def test_every_answer_is_taken_or_an_error_and_the_session_goes_on(data: st.DataObject):
    session = OfferAnswer()
    for _ in range(data.draw(st.integers(1, 4))):
        session.offer(make_offer(session, OURS, direction=data.draw(DIRECTIONS)))
        answer = data.draw(descriptions())
        try:
            if answer is not None:
                session.receive_answer(answer)
        except SdpError:
            pass
        if session.pending is not None:
            session.roll_back()
        if session.local is not None:
            for turned in (held(session.local), resumed(session.local), held(session.local, OURS)):
                session.offer(session.next_edition(turned))
                session.roll_back()
