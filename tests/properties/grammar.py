"""Strategies, one per rule of RFC 3261 §25: whatever they draw is what the grammar calls valid."""

from collections.abc import Iterable

from hypothesis import strategies as st

from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram

ALPHANUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TOKEN = ALPHANUM + "-.!%*_+`'~"
WORD = TOKEN + '()<>:\\"/[]?{}'


def text(alphabet: str, least: int = 1, most: int = 12) -> st.SearchStrategy[str]:
    return st.text(alphabet=alphabet, min_size=least, max_size=most)


def joined(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*[st.just(part) if isinstance(part, str) else part for part in parts]).map("".join)


def maybe(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | part


tokens = text(TOKEN)
# LWS, where one must stand, and SWS, where one may
lws = st.sampled_from([" ", "  ", "\t", " \t ", "\r\n ", " \r\n\t"])
sws = st.just("") | lws
qdtext = st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=["Cc", "Cs"])
quoted_pairs = st.integers(0, 0x7F).filter(lambda octet: octet not in (0x0A, 0x0D)).map(lambda octet: "\\" + chr(octet))
quoted_strings = st.lists(qdtext | quoted_pairs, max_size=8).map(lambda parts: '"' + "".join(parts) + '"')
escaped = st.integers(0, 255).map(lambda octet: f"%{octet:02X}")
domain_labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
hostnames = st.lists(domain_labels, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example"]))
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).map(lambda address: f"[{address}]")
hosts = hostnames | ipv4 | ipv6
ports = maybe(st.integers(0, 65_535).map(lambda port: f":{port}"))
host_ports = joined(hosts, ports)

users = st.lists(text(ALPHANUM + "-_.!~*'()&=+$,;?/", 1, 6) | escaped, min_size=1, max_size=3).map("".join)
passwords = st.lists(text(ALPHANUM + "-_.!~*'()&=+$,", 1, 6) | escaped, max_size=2).map("".join)
param_chars = st.lists(text(ALPHANUM + "-_.!~*'()[]/:&+$", 1, 5) | escaped, min_size=1, max_size=2).map("".join)
names = text("abcdefghijklmnopqrstuvwxyz", 1, 6)


def distinct(values: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[str]:
    """Parameters whose names differ, as §7.3.1 asks."""
    pairs = st.lists(st.tuples(names, maybe(joined("=", values))), max_size=most, unique_by=lambda pair: pair[0])
    return pairs.map(lambda found: "".join([f";{name}{value}" for name, value in found]))


header_chars = st.lists(text(ALPHANUM + "-_.!~*'()[]/?:+$", 1, 5) | escaped, min_size=1, max_size=2).map("".join)
uri_headers = maybe(joined("?", st.lists(joined(names, "=", maybe(header_chars)), min_size=1, max_size=2).map("&".join)))
sip_uris = joined(
    st.sampled_from(["sip:", "sips:"]),
    maybe(joined(users, maybe(joined(":", passwords)), "@")),
    host_ports,
    distinct(param_chars),
    uri_headers,
)
tel_uris = st.from_regex(r"tel:\+[0-9][0-9\-.()]{1,12}", fullmatch=True)
other_uris = joined(st.sampled_from(["http://", "urn:service:", "im:"]), hostnames)
uris = sip_uris | tel_uris | other_uris

generic_values = tokens | hosts | quoted_strings
params = distinct(generic_values)
display_names = st.lists(text(TOKEN, 1, 6), min_size=1, max_size=3).flatmap(lambda words: lws.map(lambda blank: blank.join(words) + blank))
name_addrs = joined(maybe(display_names | joined(quoted_strings, sws)), "<", uris, ">")
tags = tokens.map(lambda token: f";tag={token}")
others = params.filter(lambda found: ";tag" not in found and ";q" not in found and ";expires" not in found and ";branch" not in found)

branches = text(TOKEN, 1, 20).map(lambda token: f"z9hG4bK{token}")
vias = joined(
    "SIP",
    sws,
    "/",
    sws,
    "2.0",
    sws,
    "/",
    sws,
    st.sampled_from(["UDP", "TCP", "TLS", "SCTP", "X-NEW"]),
    lws,
    host_ports,
    sws,
    ";branch=",
    branches,
    others,
)
methods = st.sampled_from("INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK UPDATE INFO MESSAGE".split(" ")) | tokens
call_ids = joined(text(WORD), maybe(joined("@", text(WORD))))
cseq_numbers = st.integers(0, 2**31 - 1).map(str)
opaque = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).map(lambda value: value.strip(" \t"))
bodies = st.binary(max_size=40)


def listed(values: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[str]:
    comma = joined(sws, ",", sws)
    return st.lists(values, min_size=1, max_size=most).flatmap(lambda found: comma.map(lambda between: between.join(found)))


qvalues = st.sampled_from(["0", "1", "0.5", "0.333", "1.000"])
media = joined(tokens.map(lambda token: token.replace("*", "x")), "/", tokens.map(lambda token: token.replace("*", "x")))
contacts = st.just("*") | listed(joined(name_addrs, others, maybe(joined(";q=", qvalues)), maybe(joined(";expires=", cseq_numbers))))

FIELDS: dict[str, st.SearchStrategy[str]] = {
    "Accept": maybe(listed(joined(media, maybe(joined(";q=", qvalues))))),
    "Allow": maybe(listed(tokens)),
    "Contact": contacts,
    "Content-Type": joined(media, others),
    "Expires": cseq_numbers,
    "Max-Forwards": st.integers(0, 255).map(str),
    "Proxy-Require": listed(tokens),
    "Record-Route": listed(joined("<", sip_uris, ">", others)),
    "Reply-To": joined(name_addrs, others),
    "Require": listed(tokens),
    "Route": listed(joined("<", sip_uris, ">", others)),
    "Subject": opaque,
    "Supported": maybe(listed(tokens)),
    "Timestamp": st.sampled_from(["1", "1.5", "54 0.2"]),
    "X-Unknown": opaque,
}
COMPACT = {"Contact": "m", "Content-Type": "c", "Subject": "s", "Supported": "k", "Via": "v", "From": "f", "To": "t", "Call-ID": "i"}


@st.composite
def header_lines(draw: st.DrawFn, method: str) -> list[str]:
    """Every field a message needs, some it may have, in any order, any spelling of the names and any white space around the colon."""
    fields = [
        *[("Via", draw(listed(vias, 2))) for _ in range(draw(st.integers(1, 2)))],
        ("From", draw(joined(name_addrs, tags, others))),
        ("To", draw(joined(name_addrs, maybe(tags), others))),
        ("Call-ID", draw(call_ids)),
        ("CSeq", draw(cseq_numbers) + draw(st.sampled_from([" ", "  ", "\t"])) + method),
    ]
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=5, unique=True)):
        fields.append((name, draw(FIELDS[name])))
    lines = []
    for name, value in draw(st.permutations(fields)):
        written = draw(st.sampled_from([name, name.upper(), name.lower(), COMPACT.get(name, name)]))
        before = draw(st.sampled_from(["", " ", "\t"]))
        after = draw(st.sampled_from(["", " ", "  ", "\r\n "]))
        lines.append(f"{written}{before}:{after}{value}")
    return lines


def _octets(start: str, lines: Iterable[str], body: bytes, has_length: bool) -> bytes:
    head = [start, *lines, *([f"Content-Length: {len(body)}"] if has_length else []), "", ""]
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + body


@st.composite
def requests(draw: st.DrawFn, *, has_length: bool = True) -> bytes:
    """The octets of a valid request."""
    method = draw(methods)
    return _octets(f"{method} {draw(uris)} SIP/2.0", draw(header_lines(method)), draw(bodies), has_length)


@st.composite
def responses(draw: st.DrawFn, *, has_length: bool = True) -> bytes:
    """The octets of a valid response."""
    start = f"SIP/2.0 {draw(st.integers(100, 699))} {draw(opaque)}"
    return _octets(start, draw(header_lines(draw(methods))), draw(bodies), has_length)


messages = requests() | responses()


def parsed(octets: bytes) -> Request | Response:
    """The message that octets are; AssertionError where they are none."""
    message = parse_datagram(octets)
    assert isinstance(message, (Request, Response)), message
    return message
