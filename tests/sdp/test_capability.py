from ringback.sdp.capability import indicated
from tests.sdp.writing import described


def test_capabilities_are_every_medium_and_format_with_port_0():
    """RFC 3264 §9."""
    ours = described(
        "m=audio 30000 RTP/AVP 0 97\na=rtpmap:97 opus/48000/2\na=recvonly\nm=video 30002/2 RTP/AVP 31",
        session="a=sendonly",
        time="0 3900000000",
    )
    assert indicated(ours, 99).to_bytes().decode().split("\r\n") == [
        "v=0",
        "o=bea 99 99 IN IP4 192.0.2.20",
        "s=-",
        "c=IN IP4 192.0.2.20",
        "t=0 0",
        "m=audio 0 RTP/AVP 0 97",
        "a=rtpmap:97 opus/48000/2",
        "m=video 0 RTP/AVP 31",
        "",
    ]
    assert ours.media[0].port == 30_000
