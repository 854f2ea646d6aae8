import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.message.errors import SipParseError
from ringback.message.fields.media_type import MediaType
from ringback.message.headers import Headers
from ringback.message.multipart import MAX_DEPTH, MAX_PARTS, Multipart, Part

MIXED = MediaType("multipart", "mixed", {"boundary": '"simple boundary"'})
B = MediaType("multipart", "mixed", {"boundary": "b"})


def test_the_example_of_rfc_2046() -> None:
    body = (
        b"This is the preamble.  It is to be ignored\r\n"
        b"--simple boundary\r\n"
        b"\r\n"
        b"This is implicitly typed plain US-ASCII text.\r\n"
        b"It does NOT end with a linebreak.\r\n"
        b"--simple boundary \t\r\n"
        b"Content-type: text/plain; charset=us-ascii\r\n"
        b"Content-Disposition: session;\r\n handling=optional\r\n"
        b"\r\n"
        b"This is explicitly typed plain US-ASCII text.\r\n"
        b"It DOES end with a linebreak.\r\n"
        b"\r\n"
        b"--simple boundary--\r\n"
        b"This is the epilogue.  It is also to be ignored.\r\n--simple boundary\r\n"
    )
    multipart = Multipart.parse(body, MIXED)
    first, second = multipart.parts
    assert first.body == b"This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak."
    assert first.content_type == MediaType("text", "plain")
    assert first.content_disposition is None
    assert second.body.endswith(b"It DOES end with a linebreak.\r\n")
    assert second.content_type == MediaType("text", "plain", {"charset": "us-ascii"})
    assert second.content_disposition is not None
    assert not second.content_disposition.is_required
    assert repr(second) == "<Part text/plain 78 octets>"
    assert repr(multipart) == "<Multipart mixed of 2>"


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"--b\r\n\r\nx\r\n--b--", [b"x"]),
        (b"--b\r\n\r\n\r\n--b--\r\n", [b""]),
        (b"--b\r\n\r\n--b--", [b""]),
        (b"--b\r\n--b--", [b""]),
        (b"\r\n--b\r\n\r\n--bx\r\n--b-\r\n --b\r\n--b--", [b"--bx\r\n--b-\r\n --b"]),
        (b"--b\r\nA: 1\r\n--b--", [b""]),
        (b"--b\r\n\r\n\xff\0\r\n--b\r\n\r\n2\r\n--b--\t\r\nrest", [b"\xff\0", b"2"]),
    ],
)
def test_where_parts_begin_and_end(body: bytes, parts: list[bytes]) -> None:
    assert [part.body for part in Multipart.parse(body, B).parts] == parts


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"--b",
        b"--b--",
        b"--b--\r\n",
        b"--b\r\n\r\nx",
        b"--b\r\n\r\nx\r\n--b",
        b"x--b\r\n\r\nx\r\n--b--",
        b"--b\r\nno header\r\n\r\n\r\n--b--",
    ],
)
def test_what_is_no_multipart(body: bytes) -> None:
    with pytest.raises(SipParseError):
        Multipart.parse(body, B)


@pytest.mark.parametrize(
    "text",
    [
        "multipart/mixed",
        "multipart/mixed;boundary",
        'multipart/mixed;boundary=""',
        'multipart/mixed;boundary="a "',
        "text/plain;boundary=b",
    ],
)
def test_a_boundary_is_needed(text: str) -> None:
    with pytest.raises(SipParseError, match="boundary"):
        Multipart.parse(b"--b\r\n\r\nx\r\n--b--", MediaType.parse(text))


def test_the_boundary_is_limited() -> None:
    for length, is_good in ((70, True), (71, False)):
        boundary = "b" * length
        body = b"--%b\r\n\r\nx\r\n--%b--" % (boundary.encode(), boundary.encode())
        content_type = MediaType("multipart", "mixed", {"boundary": boundary})
        if is_good:
            assert len(Multipart.parse(body, content_type).parts) == 1
        else:
            with pytest.raises(SipParseError):
                Multipart.parse(body, content_type)


def test_the_number_of_parts_is_limited() -> None:
    assert len(Multipart.parse(b"--b\r\n\r\nx\r\n" * MAX_PARTS + b"--b--", B).parts) == MAX_PARTS
    with pytest.raises(SipParseError, match="too many parts"):
        Multipart.parse(b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 1) + b"--b--", B)


def _nested(depth: int) -> bytes:
    body = b"x"
    for level in range(depth, 0, -1):
        inner = b"Content-Type: multipart/mixed;boundary=b%d\r\n" % (level + 1) if level < depth else b""
        body = b"--b%d\r\n%b\r\n%b\r\n--b%d--" % (level, inner, body, level)
    return body


def test_the_depth_is_limited() -> None:
    content_type = MediaType("multipart", "mixed", {"boundary": "b1"})
    whole = Multipart.parse(_nested(MAX_DEPTH), content_type)
    assert [part.body for part in whole.leaves()] == [b"x"]
    for depth in (MAX_DEPTH + 1, 200):
        with pytest.raises(SipParseError, match="too deep"):
            Multipart.parse(_nested(depth), content_type)


def test_the_parts_of_nested_multiparts_count_too() -> None:
    inner = b"--c\r\n\r\nx\r\n" * (MAX_PARTS - 1) + b"--c--"
    outer = b"--b\r\nContent-Type: multipart/alternative;boundary=c\r\n\r\n%b\r\n%b--b--"
    assert len(Multipart.parse(outer % (inner, b""), B).leaves()) == MAX_PARTS - 1
    with pytest.raises(SipParseError, match="too many parts"):
        Multipart.parse(outer % (inner, b"--b\r\n\r\ny\r\n"), B)


def test_leaves_stand_in_the_order_of_the_body() -> None:
    body = (
        b"--b\r\nContent-Type: multipart/alternative;boundary=c\r\n\r\n--c\r\n\r\n1\r\n--c\r\n\r\n2\r\n--c--\r\n"
        b"--b\r\n\r\n3\r\n--b\r\nContent-Type: multipart/digest;boundary=d\r\n\r\n--d\r\n\r\n4\r\n--d--\r\n--b--"
    )
    multipart = Multipart.parse(body, B)
    assert [part.body for part in multipart.leaves()] == [b"1", b"2", b"3", b"4"]
    assert multipart.leaves()[3].content_type == MediaType("message", "rfc822")
    assert [part.body for part in Multipart.parse(multipart.to_bytes(), multipart.content_type).leaves()] == [b"1", b"2", b"3", b"4"]


def test_a_malformed_content_type_of_a_part_is_refused() -> None:
    with pytest.raises(SipParseError):
        Multipart.parse(b"--b\r\nContent-Type: x\r\n\r\n\r\n--b--", B)


def test_rendering() -> None:
    parts = [Part(Headers([("Content-Type", "application/sdp")]), b"v=0\r\n"), Part(Headers(), b"\xff")]
    multipart = Multipart(parts, "a b", "related")
    assert str(multipart.content_type) == 'multipart/related;boundary="a b"'
    assert multipart.to_bytes() == b"--a b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--a b\r\n\r\n\xff\r\n--a b--\r\n"
    assert str(Multipart([], "ab").content_type) == "multipart/mixed;boundary=ab"


def test_what_cannot_be_rendered() -> None:
    with pytest.raises(ValueError, match="occurs"):
        Multipart([Part(Headers(), b"x--b")], "b").to_bytes()
    with pytest.raises(ValueError, match="needs a part"):
        Multipart([], "b").to_bytes()
    for boundary in ("", "a ", "ü", "b" * 71, "b\r\n"):
        with pytest.raises(ValueError, match="not a boundary"):
            Multipart([], boundary)


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=MAX_PARTS))
def test_parse_undoes_rendering(bodies: list[bytes]) -> None:
    multipart = Multipart([Part(Headers(), body) for body in bodies], "never-in-thirty-octets-of-anything")
    assert [part.body for part in Multipart.parse(multipart.to_bytes(), multipart.content_type).parts] == bodies


@given(
    st.lists(
        st.sampled_from(
            [b"--b", b"--b--", b"\r\n", b"\r", b" ", b"-", b"A: 1", b"x", b"Content-Type: multipart/mixed;boundary=b", b"\xff"]
        ),
        max_size=14,
    )
)
def test_any_octets_are_cut_or_refused(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    try:
        multipart = Multipart.parse(body, B)
    except SipParseError:
        return
    assert all(part.body in body for part in multipart.leaves())
