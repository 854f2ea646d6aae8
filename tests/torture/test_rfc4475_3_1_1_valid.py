"""RFC 4475 §3.1.1: valid messages, read to the last value that the section speaks of."""

from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request, Response
from ringback.message.multipart import Multipart
from ringback.message.parser import Malformed, StreamParser, parse_datagram
from ringback.message.uri import SipUri
from ringback.server.proxy.forwarding import forwarded
from ringback.testing import run
from tests.torture.corpus import octets
from tests.torture.served import served


def request(file: str) -> Request:
    message = parse_datagram(octets(file))
    assert isinstance(message, Request)
    return message


def sip_uri(address: NameAddr) -> SipUri:
    assert isinstance(address.uri, SipUri)
    return address.uri


async def forwards(file: str, aor: str) -> Request:
    """What the phone registered under `aor` gets of the message."""
    async with served() as one:
        await one.bind(aor)
        sent = one.datagram(octets(file))
        copy = sent[-1]
        assert isinstance(copy, Request)
        assert one.sent[-1][1].remote == ("192.0.2.9", 5060)
        return copy


def test_3_1_1_1_wsinv() -> None:
    message = request("wsinv")
    assert (message.method, message.uri_text) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert isinstance(message.uri, SipUri)
    assert message.uri.params == {"unknownparam": None}
    assert (str(message.to.uri), message.to.params) == ("sip:vivekg@chair-dnrc.example.com", {"tag": "1918181833n"})
    assert message.to_tag == "1918181833n"
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert (str(message.from_.uri), message.from_tag) == ("sip:jdrosen@example.com", "98asjd8")
    assert message.max_forwards == 68
    assert message.call_id == "wsinv.ndaksdj@192.0.2.1"
    assert message.headers.value("Content-Length") == len(message.body) == 150
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert [(via.protocol, via.transport, via.host, via.port, via.branch) for via in message.vias] == [
        ("SIP/2.0", "UDP", "192.0.2.2", None, "390skdjuw"),
        ("SIP/2.0", "TCP", "spindle.example.com", None, "z9hG4bK9ikj8"),
        ("SIP/2.0", "UDP", "192.168.255.111", None, "z9hG4bK30239"),
    ]
    assert message.headers.text("Subject") == ""
    assert message.headers.text("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.headers.text("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert message.content_type.essence == "application/sdp"
    [route] = message.routes
    assert sip_uri(route).params == {"lr": None, "unknownwith": "value", "unknown-no-value": None}
    assert sip_uri(route).host == "services.example.com"
    assert message.contact.display_name == 'Quoted string ""'
    assert message.contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert message.contact.q == 0.33
    assert message.body.startswith(b"v=0\r\n")


def test_3_1_1_1_wsinv_is_forwarded_as_it_came() -> None:
    message = request("wsinv")
    copy = forwarded(message, message.uri_text, 60, None, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx")
    original = octets("wsinv")
    for line in (b"UnknownHeaderWithUnusualValue: ;;,,;;,;", b"NewFangledHeader:   newfangled value\r\n continued newfangled value"):
        assert b"\r\n" + line + b"\r\n" in original
        assert b"\r\n" + line + b"\r\n" in copy
    untouched = original.partition(b"\r\n")[2].replace(b"MaX-fOrWaRdS: 0068", b"Max-Forwards: 67")
    head, _, body = untouched.partition(b"\r\n\r\n")
    assert copy == (
        b"INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
        + head.replace(b"Via  :", b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nVia  :", 1)
        + b"\r\nMax-Breadth: 60\r\n\r\n"
        + body
    )


def test_3_1_1_2_intmeth() -> None:
    message = request("intmeth")
    assert message.method == message.cseq.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.cseq.number == 139122385
    assert isinstance(message.uri, SipUri)
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.uri.host == "example.com"
    assert message.via.branch == "z9hG4bK-.!%66*_+`'~"
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert sip_uri(message.to).user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.params == {"fromparam''~+*_!.-%": '"работающий"', "tag": "_token~1'+`*%!-."}
    assert message.call_id == message.headers.value("Call-ID") == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert message.max_forwards == 255
    assert message.headers.text("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_3_1_1_2_intmeth_finds_its_user() -> None:
    async def main() -> None:
        copy = await forwards("intmeth", "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com")
        assert copy.method == "!interesting-Method0123456789_*+`.%indeed'~"
        received = octets("intmeth")
        for name in (b"To", b"From", b"extensionHeader-!.%*+_`'~"):
            [line] = [line for line in received.split(b"\r\n") if line.startswith(name + b":")]
            assert line in copy.to_bytes().split(b"\r\n")

    run(main())


def test_3_1_1_3_esc01() -> None:
    message = request("esc01")
    assert isinstance(message.uri, SipUri)
    assert (message.uri.scheme, message.uri.user, message.uri.host) == ("sip", "sips:user@example.com", "example.net")
    assert sip_uri(message.to).user == "user"
    assert sip_uri(message.from_).user == "I have spaces"
    contact = sip_uri(message.contact)
    assert contact.user == "caller"
    assert contact.lr
    assert contact.param("name") == "value%41"
    assert message.content_type.essence == "application/sdp"


def test_3_1_1_4_escnull() -> None:
    message = request("escnull")
    assert sip_uri(message.to).user == sip_uri(message.from_).user == "null-\0-null"
    assert [sip_uri(contact).user for contact in message.contacts] == ["\0", "\0\0"]

    async def main() -> None:
        async with served() as one:
            [answer] = await one.datagrams(octets("escnull"))
            assert isinstance(answer, Response)
            assert answer.status == 200
            assert sorted(str(contact.uri) for contact in answer.contacts) == ["sip:%00%00@host5.example.com", "sip:%00@host5.example.com"]

    run(main())


def test_3_1_1_5_esc02() -> None:
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert message.to.display_name == message.from_.display_name == "%Z%45"
    assert [sip_uri(contact).user for contact in message.contacts] == ["alias1", "alias3"]
    assert message.headers.texts("C%6Fntact") == ["<sip:alias2@host2.example.com>"]
    assert message.via.branch == "z9hG4bK209%fzsnel234"


def test_3_1_1_6_lwsdisp() -> None:
    message = request("lwsdisp")
    assert message.from_.display_name == "caller"
    assert (str(message.from_.uri), message.from_tag) == ("sip:caller@example.com", "323")


def test_3_1_1_7_longreq() -> None:
    message = request("longreq")
    assert message.to.display_name == f"I have a user name of {'extreme' * 10} proportion"
    assert sip_uri(message.to).port == 6000
    assert list(sip_uri(message.to).params) == [
        "unknownparam1",
        f"longparam{'name' * 25}",
        f"very{'long' * 25}parameternamewithnovalue",
    ]
    assert sip_uri(message.to).params[f"longparam{'name' * 25}"] == "shortvalue"
    assert message.from_tag is not None
    assert len(message.from_tag) > 150
    assert message.call_id == f"longreq.one{'really' * 20}longcallid"
    assert len(message.vias) == 34
    assert [via.host for via in message.vias] == [*[f"sip{n}.example.com" for n in range(33, 0, -1)], "host.example.com"]
    assert message.vias[-1].received == "192.0.2.5"
    assert len(message.vias[-1].branch or "") > 200
    unknown = [name for name, _ in message.headers if name.startswith("Unknown-")]
    assert unknown == [f"Unknown-{'Long' * 20}-Name"]
    assert sip_uri(message.contact).user == "amazinglylongcallername" * 5


def test_3_1_1_8_dblreq() -> None:
    message = request("dblreq")
    assert (message.method, message.body) == ("REGISTER", b"")

    async def main() -> None:
        async with served() as one:
            [answer] = await one.datagrams(octets("dblreq"))
            assert isinstance(answer, Response)
            assert [str(contact.uri) for contact in answer.contacts] == ["sip:j.user@host.example.com"]
            assert answer.cseq.method == "REGISTER"

    run(main())


def test_3_1_1_8_dblreq_on_a_stream_is_two_messages() -> None:
    parser = StreamParser()
    parser.feed(octets("dblreq"))
    found = [parser.next_message(), parser.next_message()]
    assert [one[0].method for one in found if one is not None and isinstance(one[0], Request)] == ["REGISTER", "INVITE"]


def test_3_1_1_9_semiuri() -> None:
    message = request("semiuri")
    assert isinstance(message.uri, SipUri)
    assert (message.uri.user, message.uri.host, message.uri.params) == ("user;par=u@example.net", "example.com", {})
    assert [value.essence for value in message.headers.values("Accept")] == [
        "application/sdp",
        "application/pkcs7-mime",
        "multipart/mixed",
        "multipart/signed",
        "message/sip",
        "message/sipfrag",
    ]

    async def main() -> None:
        copy = await forwards("semiuri", "sip:user;par=u%40example.net@example.com")
        assert copy.headers.texts("Accept") == message.headers.texts("Accept")

    run(main())


def test_3_1_1_10_transports() -> None:
    assert [via.transport for via in request("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]

    async def main() -> None:
        copy = await forwards("transports", "sip:user@example.com")
        assert [via.transport for via in copy.vias] == ["UDP", "UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]

    run(main())


def test_3_1_1_11_mpart01() -> None:
    message = request("mpart01")
    assert len(message.body) == 553
    parts = Multipart.parse(message.body, message.content_type).parts
    assert [part.content_type.essence for part in parts] == ["text/plain", "application/octet-stream"]
    assert parts[0].body == b"Hello"
    assert parts[1].body[:4] == b"\x30\x82\x01\x52"
    assert b"\n" in parts[1].body
    assert b"\0" in parts[1].body
    assert message.headers.text("Identity") is not None
    assert message.to_bytes() == octets("mpart01")


def test_3_1_1_12_unreason() -> None:
    message = parse_datagram(octets("unreason"))
    assert isinstance(message, Response)
    assert message.status == 200
    assert message.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert message.to_bytes() == octets("unreason")


def test_3_1_1_13_noreason() -> None:
    for octets_of_it in (octets("noreason"), octets("variants/noreason.nosp")):
        message = parse_datagram(octets_of_it)
        assert isinstance(message, Response)
        assert (message.status, message.reason) == (100, "")
        assert message.to_bytes() == octets("noreason")


def test_every_valid_message_is_written_as_it_came() -> None:
    for file in ("wsinv", "intmeth", "esc01", "escnull", "esc02", "lwsdisp", "longreq", "semiuri", "transports", "mpart01"):
        message = parse_datagram(octets(file))
        assert not isinstance(message, Malformed)
        assert message.to_bytes() == octets(file), file
