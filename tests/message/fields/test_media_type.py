import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.media_type import MediaType


def test_every_part() -> None:
    media_type = MediaType.parse('Text / HTML ; Charset="ISO-8859-4";level=1;q=0.5')
    assert (media_type.type, media_type.subtype, media_type.essence) == ("text", "html", "text/html")
    assert media_type.param("charset") == "ISO-8859-4"
    assert media_type.param("none") is None
    assert media_type.q == 0.5
    assert str(media_type) == 'text/html;charset="ISO-8859-4";level=1;q=0.5'
    assert repr(media_type) == f"<MediaType {media_type}>"


@pytest.mark.parametrize(
    "text", ["", "text", "/html", "text/", "*/html", "text/html/x", "text/h tml", "text/html;", "text /html x", "té/x"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        MediaType.parse(text)


@pytest.mark.parametrize(
    ("range_", "takes"),
    [("*/*", True), ("application/*", True), ("application/SDP;level=1", True), ("text/*", False), ("application/isup", False)],
)
def test_ranges(range_: str, takes: bool) -> None:
    assert MediaType.parse(range_).includes(MediaType("application", "sdp")) is takes


def test_without_q_it_is_wanted_fully() -> None:
    assert MediaType.parse("a/b").q == 1.0


def test_equality_is_blind_to_case() -> None:
    assert MediaType.parse("A/B;C=d") == MediaType("a", "b", {"c": "d"})
    assert hash(MediaType.parse("A/B")) == hash(MediaType("a", "b"))
    assert MediaType("a", "b") != MediaType("a", "c")
    assert MediaType("a", "b") != "a/b"
