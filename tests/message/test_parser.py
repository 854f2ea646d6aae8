"""One datagram, one message: start lines, required fields, framing, and what is left of a message that is none (RFC 3261 §7, §18.3)."""

import pytest

from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, parse_datagram

VIA = "Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1"
REST = ["From: <sip:a@b>;tag=1", "To: <sip:c@d>", "Call-ID: 1@b"]
HEAD = [VIA, *REST, "CSeq: 1 OPTIONS"]


def parsed(start: str = "OPTIONS sip:c@d SIP/2.0", lines: list[str] = HEAD, body: bytes = b"") -> Request | Response | Malformed:
    head = "\r\n".join([start, *lines, "", ""])
    return parse_datagram(head.encode("utf-8", "surrogateescape") + body)


def request(*more: str, body: bytes = b"") -> Request:
    message = parsed(lines=[*HEAD, *more], body=body)
    assert isinstance(message, Request)
    return message


def fault(start: str = "OPTIONS sip:c@d SIP/2.0", lines: list[str] = HEAD, body: bytes = b"") -> Malformed:
    message = parsed(start, lines, body)
    assert isinstance(message, Malformed)
    return message


# Start lines (§7.1, §7.2).


@pytest.mark.parametrize("version", ["SIP/2.0", "sip/2.0", "Sip/2.0"])
def test_the_version_is_blind_to_case_and_written_in_capitals(version: str) -> None:
    message = parsed(f"OPTIONS sip:c@d {version}")
    assert isinstance(message, Request)
    assert message.start_line == "OPTIONS sip:c@d SIP/2.0"
    answer = parsed(f"{version} 200 OK")
    assert isinstance(answer, Response)
    assert answer.start_line == "SIP/2.0 200 OK"


def test_methods_differ_by_case_and_any_token_is_one() -> None:
    message = parsed("options sip:c@d SIP/2.0", [VIA, *REST, "CSeq: 1 options"])
    assert isinstance(message, Request)
    assert message.method == "options"
    assert fault("options sip:c@d SIP/2.0").reason == "CSeq Method Differs from Request"


def test_the_request_uri_is_kept_as_it_came() -> None:
    for uri in ("sip:c@d;x=%41?y=z", "tel:+1", "urn:service:sos", "nonsense", "sip:\x01"):
        message = parsed(f"OPTIONS {uri} SIP/2.0")
        assert isinstance(message, Request)
        assert message.uri_text == uri


@pytest.mark.parametrize(
    ("start", "status", "reason"),
    [
        ("", 400, "Malformed Request-Line"),
        ("OPTIONS", 400, "Malformed Request-Line"),
        ("OPTIONS sip:c@d", 400, "Malformed Request-Line"),
        ("OPTIONS  sip:c@d SIP/2.0", 400, "Malformed Request-Line"),
        ("OPTIONS sip:c@d SIP/2.0 ", 400, "Malformed Request-Line"),
        (" OPTIONS sip:c@d SIP/2.0", 400, "Malformed Request-Line"),
        ("OPTIONS\tsip:c@d\tSIP/2.0", 400, "Malformed Request-Line"),
        ("OPTI(ONS sip:c@d SIP/2.0", 400, "Malformed Request-Line"),
        ("OPTIONS sip:c@d HTTP/1.1", 400, "Malformed Request-Line"),
        ("OPTIONS <sip:c@d> SIP/2.0", 400, "Malformed Request-URI"),
        ("OPTIONS  SIP/2.0", 400, "Malformed Request-URI"),
        ("OPTIONS sip:c@d SIP/3.0", 505, "Version Not Supported"),
        ("OPTIONS sip:c@d SIP/2.00", 505, "Version Not Supported"),
        ("OPTIONS sip:c@d sip/", 505, "Version Not Supported"),
        ("ſIP/2.0 200 OK", 400, "Malformed Request-Line"),
    ],
)
def test_what_is_no_request_line(start: str, status: int, reason: str) -> None:
    found = fault(start)
    assert (found.status, found.reason) == (status, reason)


@pytest.mark.parametrize("status", ["100", "199", "200", "699"])
@pytest.mark.parametrize("reason", ["", " ", " OK", "  two blanks", " é \x01"])
def test_status_lines(status: str, reason: str) -> None:
    message = parsed(f"SIP/2.0 {status}{reason}")
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (int(status), reason[1:])


@pytest.mark.parametrize(
    "start",
    [
        *["SIP/2.0", "SIP/2.0 ", "SIP/2.0 2", "SIP/2.0 20", "SIP/2.0 20 OK", "SIP/2.0 2000 OK", "SIP/2.0 000 OK", "SIP/2.0 099 OK"],
        *["SIP/2.0 700 OK", "SIP/2.0 +20 OK", "SIP/2.0 2_0 OK", "SIP/2.0 ٢٠٠ OK", "SIP/2.0 ²00 OK", "SIP/2.0  200 OK", "SIP/2.0\t200 OK"],
        *["SIP/2.0 200\tOK", "SIP/2.0 4294967301 OK", "SIP/2.0200 OK"],
    ],
)
def test_what_is_no_status_line(start: str) -> None:
    found = fault(start)
    assert found.reason == "Malformed Status-Line"
    assert found.request is None


@pytest.mark.parametrize("start", ["SIP/1.0 200 OK", "SIP/2.1 200 OK", "SIP/", "sip/3.0"])
def test_a_response_of_another_version(start: str) -> None:
    assert fault(start).status == 505
    assert fault(start).request is None


# Required fields (§8.1.1, §16.3 item 1), and those that stand once (§7.3.1).


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Via"])
def test_a_field_without_which_there_is_no_message(name: str) -> None:
    found = fault(lines=[line for line in HEAD if not line.startswith(name + ":")])
    assert found.reason == f"Missing {name}"
    assert (found.request is None) is (name == "Via")
    assert fault("SIP/2.0 404 Not Found", [line for line in HEAD if not line.startswith(name + ":")]).reason == f"Missing {name}"


@pytest.mark.parametrize("line", ["f: <sip:x@y>", "t: <sip:x@y>", "i: 2@b", "CSeq: 1 OPTIONS"])
def test_a_field_that_stands_twice(line: str) -> None:
    assert fault(lines=[*HEAD, line]).reason.startswith("Repeated ")


@pytest.mark.parametrize(
    "lines", [["Content-Length: 0", "Content-Length: 0"], ["Content-Length: 0", "l: 5"], ["Max-Forwards: 1", "Max-Forwards: 1"]]
)
def test_a_number_that_stands_twice(lines: list[str]) -> None:
    assert fault(lines=[*HEAD, *lines]).reason in ("Repeated Content-Length", "Repeated Max-Forwards")


def test_other_fields_may_stand_twice_and_be_malformed() -> None:
    message = request("Contact: ;;", "Contact: <", "Date: tomorrow", "Subject: a", "Subject: b", "Max-Forwards: many")
    assert message.headers.texts("Subject") == ["a", "b"]


@pytest.mark.parametrize("via", ["", "nonsense", "SIP/2.0/UDP", "SIP/2.0/UDP a;branch=", "SIP/2.0/UDP a:99999"])
def test_a_via_that_does_not_parse(via: str) -> None:
    found = fault(lines=[f"Via: {via}", *HEAD[1:]])
    assert found.reason.startswith("Malformed Via: ")


@pytest.mark.parametrize(
    ("via", "sent_by", "branch"),
    [
        ("SIP/2.0/UDP 192.0.2.15;;,;,,", "192.0.2.15", None),
        ("SIP/2.0/UDP a:5062;branch=z9hG4bKx;;", "a:5062", "z9hG4bKx"),
        ("SIP/2.0/UDP [::1]:5062;x=\x01;branch=z9hG4bKx", "[::1]:5062", "z9hG4bKx"),
        ('SIP/2.0/UDP a, "', "a", None),
    ],
)
def test_an_answer_goes_back_by_what_can_be_read_of_a_via(via: str, sent_by: str, branch: str | None) -> None:
    found = fault(lines=[f"Via: {via}", *HEAD[1:]])
    assert found.request is not None
    assert (found.request.via.sent_by, found.request.via.branch) == (sent_by, branch)
    assert found.request.headers.keys == ["via", "from", "to", "call-id", "cseq"]


@pytest.mark.parametrize(
    "cseq", ["", "1", "OPTIONS", "x OPTIONS", "-1 OPTIONS", "1_0 OPTIONS", "2147483648 OPTIONS", "99999999999 OPTIONS", "٣ OPTIONS"]
)
def test_a_cseq_that_does_not_parse(cseq: str) -> None:
    found = fault(lines=[VIA, *REST, f"CSeq: {cseq}"])
    assert found.reason.startswith("Malformed CSeq: ")
    assert found.request is not None


def test_a_response_with_a_number_that_no_cseq_can_be() -> None:
    for cseq in ("CSeq: 36893488147419103232 OPTIONS", "CSeq: 2147483648 REGISTER"):
        found = fault("SIP/2.0 503 Service Unavailable", [VIA, *REST, cseq])
        assert (found.reason, found.request) == ("Malformed CSeq: number too large", None)
    assert isinstance(parsed("SIP/2.0 503 No", [VIA, *REST, "CSeq: 2147483647 SUBSCRIBE"]), Response)


# Framing (§18.3).


@pytest.mark.parametrize("line", ["Content-Length: 5", "l:5", "L : 005", "Content-Length:\r\n 5", "CONTENT-LENGTH:\t5 "])
def test_the_body_is_as_long_as_said(line: str) -> None:
    assert request(line, body=b"hello").body == b"hello"
    assert request(line, body=b"hello, world").body == b"hello"
    assert fault(lines=[*HEAD, line], body=b"hell").reason == "Body Shorter than Content-Length"


def test_without_a_length_the_body_is_the_rest() -> None:
    assert request(body=b"all\r\n\r\nof it\0").body == b"all\r\n\r\nof it\0"
    assert request("Content-Length: 0", body=b"none of it").body == b""


@pytest.mark.parametrize(
    "length",
    [
        *[
            "",
            "-1",
            "+5",
            "0_5",
            "0x5",
            "5.0",
            "5e0",
            '"5"',
            "5, 5",
            "5;x=1",
            "5 0",
            "0\r\n 5",
            "٥",
            "⁵",
            "\udcb5",
            "5\xa0",
            "\x0b5",
            "5\0",
        ],
        *["99999999999", "9" * 5000, "five"],
    ],
)
def test_a_length_that_is_no_number(length: str) -> None:
    found = fault(lines=[*HEAD, f"Content-Length: {length}"], body=b"hello")
    assert found.reason == "Malformed Content-Length"
    assert found.request is not None
    assert fault("SIP/2.0 486 No", [*HEAD, f"Content-Length: {length}"], b"hello").request is None


def test_a_length_beyond_the_datagram() -> None:
    for length in ("6", "4294967295", "4294967296", "9999999999"):
        assert fault(lines=[*HEAD, f"Content-Length: {length}"], body=b"hello").status == 400


def test_the_head_ends_with_an_empty_line() -> None:
    head = "\r\n".join(["OPTIONS sip:c@d SIP/2.0", *HEAD, ""]).encode()
    found = parse_datagram(head)
    assert isinstance(found, Malformed)
    assert found.reason == "Header Fields Not Ended by an Empty Line"
    assert found.request is not None
    assert found.request.call_id == "1@b"


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n", b"\r\r\n\n"])
def test_empty_lines_before_a_message(before: bytes) -> None:
    message = parse_datagram(before + "\r\n".join(["OPTIONS sip:c@d SIP/2.0", *HEAD, "", ""]).encode())
    assert isinstance(message, Request)


@pytest.mark.parametrize(
    "octets", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\xff" * 100, b"\r\n\r\n\0", b"x\r\n\r\n", b"SIP/2.0", b": : :\r\n\r\n"]
)
def test_what_is_nothing_gets_no_answer(octets: bytes) -> None:
    found = parse_datagram(octets)
    assert isinstance(found, Malformed)
    assert found.request is None


@pytest.mark.parametrize("break_", ["\n", "\r", "\n\n", "\r\r", "\n\r\n", "\r\r\n"])
def test_line_breaks_of_other_sorts(break_: str) -> None:
    found = fault(lines=[*HEAD, f"Subject: a{break_}X: b"])
    assert found.reason in ("Bare CR or LF in Head", "Malformed Header Line")
    assert found.status == 400


@pytest.mark.parametrize("blank", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_what_only_python_calls_a_line_break_is_text(blank: str) -> None:
    assert request(f"Subject: a{blank}b").headers.text("Subject") == f"a{blank}b"


@pytest.mark.parametrize("line", ["no colon", "Content_Length", " Content-Length\0: 5", "Content-Length\xa0: 5", "Content-Length\x01: 0"])
def test_lines_that_are_none(line: str) -> None:
    assert fault(lines=[*HEAD[:2], line.lstrip(" "), *HEAD[2:]]).reason == "Malformed Header Line"


def test_a_fold_before_the_first_field() -> None:
    assert fault(lines=[" folded", *HEAD]).reason == "Header Begins with White Space"


# What an answer can be made of.


def test_what_is_left_of_a_faulty_request() -> None:
    found = fault(lines=["nonsense", *HEAD, "\xa0: x", " fold"])
    assert found.request is not None
    assert found.request.method == "OPTIONS"
    assert found.request.uri_text == "sip:c@d"
    assert found.request.headers.lines == HEAD


@pytest.mark.parametrize("start", ["ACK sip:c@d SIP/2.0", "ACK sip:c@d SIP/3.0", "SIP/2.0 200 OK", "sip/9 200 OK"])
def test_what_is_never_answered(start: str) -> None:
    assert fault(start, ["nonsense", VIA]).request is None


def test_repr() -> None:
    assert repr(fault("OPTIONS sip:c@d SIP/3.0")) == "<Malformed 505 Version Not Supported>"
