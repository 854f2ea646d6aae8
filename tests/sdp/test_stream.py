import pytest

from ringback.sdp.codec import PCMA, PCMU
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV
from ringback.sdp.stream import streams_of
from tests.sdp.writing import described


def test_only_what_both_sides_keep_is_a_stream():
    local = described("m=audio 1 RTP/AVP 0\nm=video 0 RTP/AVP 31\nm=audio 3 RTP/AVP 0\nm=image 5 udptl t38")
    remote = described("m=audio 0 RTP/AVP 0\nm=video 2 RTP/AVP 31\nm=audio 4 RTP/AVP 0\nm=image 6 udptl t38")
    assert [(stream.slot, stream.local.port, stream.remote.port) for stream in streams_of(local, remote)] == [(2, 3, 4), (3, 5, 6)]


def test_what_is_sent_bears_the_peers_numbers_in_the_peers_order():
    """RFC 3264 §5.1, §6.1, §7."""
    local = described("m=audio 1 RTP/AVP 0 8 97 9\na=rtpmap:97 opus/48000/2")
    remote = described("m=audio 2 RTP/AVP 98 3 8 0\na=rtpmap:98 opus/48000/2\na=fmtp:98 stereo=1")
    assert [(codec.payload_type, codec.fmtp) for codec in streams_of(local, remote)[0].codecs] == [(98, "stereo=1"), (8, None), (0, None)]
    assert streams_of(described("m=audio 1 RTP/AVP 0 8"), described("m=audio 2 RTP/AVP 8 0"))[0].codecs == (PCMA, PCMU)


@pytest.mark.parametrize(
    ("local", "remote", "direction"),
    [
        ("a=sendrecv", "a=sendrecv", SENDRECV),
        ("a=sendonly", "a=recvonly", SENDONLY),
        ("a=recvonly", "a=sendrecv", RECVONLY),
        ("a=sendonly", "a=sendonly", INACTIVE),
        ("a=sendrecv", "c=IN IP4 0.0.0.0", RECVONLY),
        ("a=sendonly", "c=IN IP6 ::\na=recvonly", INACTIVE),
        ("c=IN IP4 233.252.0.1/16\na=sendonly", "c=IN IP4 233.252.0.1/16\na=sendonly", SENDONLY),
    ],
)
def test_direction_is_what_both_descriptions_allow(local: str, remote: str, direction: str):
    found = streams_of(described(f"m=audio 1 RTP/AVP 0\n{local}"), described(f"m=audio 2 RTP/AVP 0\n{remote}"))
    assert [stream.direction for stream in found] == [direction]


def test_to_nowhere_nothing_is_sent_not_even_rtcp():
    """RFC 3264 §8.4."""
    local = described("m=audio 1 RTP/AVP 0")
    assert streams_of(local, described("m=audio 2 RTP/AVP 0\nc=IN IP4 0.0.0.0"))[0].destination is None
    destination = streams_of(local, described("m=audio 2 RTP/AVP 0\nc=IN IP4 media.example"))[0].destination
    assert destination is not None and destination.host == "media.example"
