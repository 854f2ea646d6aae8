"""Section: lines and attributes are found, put where RFC 8866 §5 wants them, and taken out."""

import pytest

from ringback.sdp.connection import Connection
from ringback.sdp.description import SessionDescription
from ringback.sdp.media import MediaDescription


def session() -> SessionDescription:
    return SessionDescription.new("192.0.2.1", session_id=1)


def medium(*attributes: str) -> MediaDescription:
    made = MediaDescription("audio", 4000, "RTP/AVP", ["0"])
    made.lines = [("a", attribute) for attribute in attributes]
    return made


def test_lines_go_where_the_order_wants_them() -> None:
    description = session()
    description.remove_lines("c")
    for letter, value in [
        ("a", "x"),
        ("b", "AS:1"),
        ("k", "prompt"),
        ("c", "IN IP4 h"),
        ("i", "y"),
        ("t", "1 1"),
        ("b", "CT:1"),
        ("a", "z"),
    ]:
        description.add_line(letter, value)
    assert "".join([letter for letter, _ in description.lines]) == "vosicbbttkaa"
    assert description.all("b") == ["AS:1", "CT:1"]
    assert description.all("a") == ["x", "z"]
    assert description.first("u") is None


def test_lines_of_an_unknown_type_stay_behind() -> None:
    description = session()
    description.lines.append(("q", "?"))
    description.add_line("t", "1 1")
    assert [letter for letter, _ in description.lines] == ["v", "o", "s", "c", "t", "t", "q"]


def test_setting_a_line_leaves_one() -> None:
    description = session()
    description.add_line("t", "1 1")
    description.add_attribute("x")
    description.set_line("t", "2 2")
    assert description.all("t") == ["2 2"]
    description.set_line("i", "text")
    assert [letter for letter, _ in description.lines] == ["v", "o", "s", "i", "c", "t", "a"]


@pytest.mark.parametrize("letter", ["m", "x", "", "bt", "=", "\n"])
def test_no_line_of_another_type_can_be_made(letter: str) -> None:
    with pytest.raises(ValueError):
        session().add_line(letter, "x")
    with pytest.raises(ValueError):
        session().set_line(letter, "x")


def test_a_medium_has_no_line_of_the_session() -> None:
    with pytest.raises(ValueError):
        medium().add_line("t", "0 0")


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "\ud800"])
def test_no_text_breaks_a_line(text: str) -> None:
    for change in (lambda: session().set_line("i", text), lambda: session().set_attribute("x", text), lambda: medium().add_attribute(text)):
        with pytest.raises(ValueError):
            change()


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é"])
def test_an_attribute_s_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError):
        medium().add_attribute(name)


def test_attributes_are_found_by_their_whole_name() -> None:
    one = medium("rtcp-mux", "rtcp:1", "rtcp:2 ", "RTCP:3", "rtcpx")
    one.lines.insert(0, ("c", "rtcp:4"))
    assert one.attribute("rtcp-mux") == ""
    assert one.attribute("rtcp") == "1"
    assert one.attributes("rtcp") == ["1", "2 "]
    assert one.attribute("rt") is None
    assert one.attributes("rtcp-mux") == [""]


def test_setting_an_attribute_leaves_one_in_its_place() -> None:
    one = medium("x:1", "y", "x", "z", "x:2")
    one.set_attribute("x", "3")
    assert one.all("a") == ["x:3", "y", "z"]
    one.set_attribute("y")
    one.set_attribute("w")
    assert one.all("a") == ["x:3", "y", "z", "w"]
    one.set_attribute("y", "é")
    one.remove_attribute("x")
    assert one.all("a") == ["y:é", "z", "w"]


def test_inherited_attributes_are_the_session_s_only_where_there_is_none() -> None:
    description = session()
    description.set_attribute("setup", "actpass")
    description.media.append(medium())
    description.media.append(medium("setup:active"))
    first, second = description.media
    assert first.attribute("setup") is None
    assert [first.inherited_attribute("setup"), second.inherited_attribute("setup")] == ["actpass", "active"]


def test_the_connection_is_set_and_taken_away() -> None:
    description = session()
    description.media.append(medium("x"))
    one = description.media[0]
    one.connection = Connection.of("192.0.2.9")
    assert one.lines == [("c", "IN IP4 192.0.2.9"), ("a", "x")]
    one.connection = None
    assert one.connection == Connection.of("192.0.2.1")
    description.connection = None
    assert one.connection is None


def test_bandwidths_of_every_type_are_kept_and_malformed_ones_skipped() -> None:
    one = medium()
    for text in ("AS:64", "TIAS:64000", "X-YZ:1", "AS:65", "AS", "RS:x"):
        one.add_line("b", text)
    assert one.bandwidths == {"AS": 64, "TIAS": 64000, "X-YZ": 1}
    one.bandwidths = {"AS": 80, "RR": 0}
    assert one.all("b") == ["AS:80", "RR:0"]
    with pytest.raises(ValueError):
        one.bandwidths = {"A S": 1}
    assert one.all("b") == ["AS:80", "RR:0"]


def test_the_direction_is_sendrecv_where_nobody_says() -> None:
    assert medium().direction == session().direction == "sendrecv"


def test_the_direction_is_set_in_its_place() -> None:
    one = medium("x", "sendonly", "y", "inactive")
    one.lines.insert(0, ("i", "inactive"))
    assert one.direction == "sendonly"
    one.direction = "recvonly"
    assert one.lines == [("i", "inactive"), ("a", "x"), ("a", "recvonly"), ("a", "y")]
    other = medium("x")
    other.direction = "sendrecv"
    assert other.all("a") == ["x", "sendrecv"]
    with pytest.raises(ValueError):
        other.direction = "both"
