"""What counts in a message of a call flow, as text that is the same in the RFC's world and on the simulated network.

An address becomes the name of the element that has it, a tag or Call-ID the place where it was first seen (`To of F2`), a CSeq number its
distance from the first one of the same party. Two messages say the same where their essentials are equal, field by field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ringback.message.errors import SipParseError
from ringback.message.fields.dialog_id import DialogId
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Message, Request
from ringback.message.uri import SipUri, parse_uri
from tests.flows.corpus import Step
from tests.flows.dialog_package import DIALOG_INFO, DialogState, dialogs_in

OPTIONAL: Mapping[str, str] = {
    "accept": "what one understands; the RFCs' flows leave it out mostly (RFC 3665 §1.3)",
    "accept-encoding": "as Accept",
    "accept-language": "as Accept",
    "allow": "the methods one knows; the flows leave it out mostly (RFC 3665 §1.3)",
    "allow-events": "the packages one knows",
    "authentication-info": "of the digests, which are made up in the flows",
    "content-disposition": "says for SDP in an INVITE what is the default",
    "content-length": "not compared, but checked to be true",
    "date": "the time of day",
    "max-breadth": "of RFC 5393, which is younger than the flows",
    "organization": "says nothing to the protocol",
    "server": "says nothing to the protocol",
    "subject": "says nothing to the protocol",
    "supported": "what one knows; the flows leave it out mostly (RFC 3665 §1.3)",
    "timestamp": "the time of day",
    "user-agent": "says nothing to the protocol",
}
"""Fields that a message may have or lack: not compared, each with its reason."""

# How values are read that a glance compares well enough: all of them, in their order.
_AS_TEXT = ("event", "expires", "min-expires", "proxy-require", "require", "retry-after", "rseq", "unsupported", "max-forwards")
_CHALLENGES = ("www-authenticate", "proxy-authenticate", "authorization", "proxy-authorization")
_ADDRESSES = ("refer-to", "referred-by", "error-info", "call-info", "alert-info", "diversion", "history-info", "p-asserted-identity")
_BY_NAME = {
    *("via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "content-type", "replaces", "join", "target-dialog"),
    *("subscription-state", "reason", *_AS_TEXT, *_CHALLENGES, *_ADDRESSES),
}
# The feature tags that flows show on purpose (RFC 3840); others say what one can do, as Allow does. "automaton" is RFC 5359's own word.
_FEATURES = ("isfocus", "automata", "automaton", "+sip.byeless", "+sip.rendering")
ABSENT = "-"


class Names:
    """Whose a host, or a `user@host`, is in one world. `secure_as` is the transport that stands in for TLS (and `sip` for `sips`)."""

    def __init__(self, hosts: Mapping[str, str], secure_as: str | None = None) -> None:
        self._hosts = hosts
        self._secure_as = secure_as

    def host(self, host: str) -> str:
        """The element that has this name or address; the host itself where it is none's, such as a domain."""
        return self._hosts.get(host, host)

    def transport(self, transport: str) -> str:
        """A transport as Via writes it."""
        return self._secure_as if transport == "TLS" and self._secure_as else transport

    def uri(self, text: str) -> str:
        """A URI: an element's name for where it is reached, `alice@atlanta.example.com` for an address-of-record.

        The user in an element's own Contact is its own business. `transport=udp` says what is the default.
        """
        uri = parse_uri(text)
        if not isinstance(uri, SipUri):
            return text
        said = "sips " if uri.scheme == "sips" and not self._secure_as else ""
        whole = f"{uri.user}@{uri.host}" if uri.user else uri.host
        element = self._hosts.get(whole) or self._hosts.get(uri.host)
        said += element or whole
        if uri.transport not in (None, "UDP"):
            said += f";transport={uri.transport}"
        said += ";lr" if uri.lr else ""
        said += ";gr" if "gr" in uri.params and element is None else ""
        if uri.param("method"):
            said += f";method={uri.param('method')}"
        return said


class Memory:
    """Where each identifier of a flow was first seen, so that it has a name."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], str] = {}
        self._first: dict[tuple[object, ...], int] = {}

    def call(self, call_id: str, label: str) -> str:
        """A Call-ID's name: `Call-ID of F1`."""
        return self._seen.setdefault((call_id,), f"Call-ID of {label}")

    def tag(self, call_id: str, tag: str | None, where: str) -> str:
        """A tag's name: `To of F2`."""
        return ABSENT if tag is None else self._seen.setdefault((call_id, tag), where)

    def session(self, call_id: str, session: str, label: str) -> str:
        """The name of a session description's session."""
        return self._seen.setdefault((call_id, "o=", session), f"session of {label}")

    def number(self, key: tuple[object, ...], number: int) -> str:
        """A number that counts up, as its distance from the first."""
        return f"first{number - self._first.setdefault(key, number):+d}".replace("+0", "")


def essentials(step: Step, names: Names, memory: Memory) -> dict[str, str]:
    """What counts in one message; `memory` is the flow's so far."""
    message, label = step.message, step.label
    headers = message.headers
    call = message.call_id
    said: dict[str, str] = {}
    if isinstance(message, Request):
        said["Request-URI"] = names.uri(message.uri_text)
    said["Via"] = ", ".join(f"{names.transport(via.transport)} {names.host(via.host)}" for via in message.vias)
    for name, routes in (("Route", message.routes), ("Record-Route", message.record_routes)):
        said[name] = _list(names.uri(route.uri_text) for route in routes)
    said["From"] = names.uri(message.from_.uri_text)
    said["From tag"] = memory.tag(call, message.from_tag, f"From of {label}")
    said["To"] = names.uri(message.to.uri_text)
    said["To tag"] = memory.tag(call, message.to_tag, f"To of {label}")
    said["Call-ID"] = memory.call(call, label)
    # Who sends a request has numbers of its own, in each call (§12.2.1.1).
    said["CSeq"] = f"{memory.number((call, said['From']), message.cseq.number)} {message.cseq.method}"
    said["Contact"] = _list(_contact(contact, names) for contact in message.contacts)
    for name in _AS_TEXT:
        said[_title(name)] = _list(str(value).lower() for value in headers.values(name))
    for name in _CHALLENGES:
        # Their order says nothing, and a realm may be named once for each algorithm (§22.3, RFC 8760).
        said[_title(name)] = _list(sorted({str(value.realm) for value in headers.values(name)}))
    for name in _ADDRESSES:
        said[_title(name)] = _list(_address(text, names, memory) for text in headers.texts(name))
    for name in ("replaces", "join", "target-dialog"):
        said[_title(name)] = _list(_dialog(text, memory) for text in headers.texts(name))
    said["Subscription-State"] = _list(value.value for value in headers.values("subscription-state"))
    said["Reason"] = _list(str(value).lower() for value in headers.values("reason"))
    said.update(_body(step, names, memory))
    said["other fields"] = _list(sorted({key for key in headers.keys if key not in OPTIONAL and key not in _BY_NAME}))
    return {name: value for name, value in said.items() if value != ABSENT}


def _title(name: str) -> str:
    return {"www-authenticate": "WWW-Authenticate", "rseq": "RSeq"}.get(name, "-".join(part.capitalize() for part in name.split("-")))


def _list(values: Iterable[str]) -> str:
    return ", ".join(values) or ABSENT


def _contact(contact: Any, names: Names) -> str:
    if not isinstance(contact, NameAddr):
        return str(contact)
    params = [f"{name}={contact.params[name]}" for name in ("expires", "q") if name in contact.params]
    params += [name for name in _FEATURES if name in contact.params]
    return " ".join([names.uri(contact.uri_text), *params])


def _address(text: str, names: Names, memory: Memory) -> str:
    try:
        uri = parse_uri(NameAddr.parse(text).uri_text)
    except SipParseError:
        # The RFCs' own slips are compared as they are written.
        return text
    said = names.uri(str(uri))
    for name, value in uri.headers if isinstance(uri, SipUri) else ():
        said += f" ?{name}=" + (_dialog(value, memory) if name.lower() == "replaces" else value)
    return said


def _dialog(text: str, memory: Memory) -> str:
    try:
        value = DialogId.parse(text)
    except SipParseError:
        return text
    tags = [f"{name} {memory.tag(value.call_id, tag, 'nowhere')}" for name, tag in sorted(value.params.items()) if name.endswith("-tag")]
    return ", ".join([memory.call(value.call_id, "nowhere"), *tags, *(["early-only"] if "early-only" in value.params else [])])


def _body(step: Step, names: Names, memory: Memory) -> dict[str, str]:
    message = step.message
    if not message.body:
        return {}
    media_type = message.content_type
    kind = "nothing said" if media_type is None else f"{media_type.type}/{media_type.subtype}"
    said = {"Content-Type": kind}
    if kind == "message/sipfrag":
        said["fragment"] = _fragment(message.body.decode("utf-8", "replace"), memory)
    if kind == DIALOG_INFO:
        said["dialogs"] = "; ".join(_dialog_state(dialog, memory) for dialog in dialogs_in(message.body))
    if kind == "application/sdp":
        said.update(_session_description(message, step.label, names, memory))
    return said


def _fragment(text: str, memory: Memory) -> str:
    """The status that a message/sipfrag tells (RFC 3420), and of which dialog it is where that is said."""
    status, *lines = text.split("\r\n")
    fields = dict(line.partition(": ")[::2] for line in lines if line)
    said = [" ".join(status.split(" ")[:2])]
    if "Call-ID" in fields:
        call_id = fields["Call-ID"]
        said.append(memory.call(call_id, "nowhere"))
        said += [f"{name} {memory.tag(call_id, NameAddr.parse(fields[name]).params.get('tag'), 'nowhere')}" for name in ("From", "To")]
    return ", ".join(said)


def _dialog_state(dialog: DialogState, memory: Memory) -> str:
    """A dialog of a dialog-info document (RFC 4235): its state, and which one it is where that is said."""
    if not dialog.call_id:
        return dialog.state
    tags = [
        f"{whose} {memory.tag(dialog.call_id, tag, 'nowhere')}"
        for whose, tag in (("local", dialog.local_tag), ("remote", dialog.remote_tag))
    ]
    return ", ".join([dialog.state, memory.call(dialog.call_id, "nowhere"), *tags, dialog.direction or "nobody knows who called"])


def _session_description(message: Message, label: str, names: Names, memory: Memory) -> dict[str, str]:
    """Origin and its version, whose address each medium has, and of each medium its kind, codec numbers and direction (RFC 8866)."""
    origin, address, direction = "", "", "sendrecv"
    media: list[list[str]] = []
    for line in message.body.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        letter, _, value = line.partition("=")
        words = value.split(" ")
        if letter == "o" and len(words) == 6:
            session = memory.session(message.call_id, " ".join(words[:2]), label)
            origin = f"{session}, version {memory.number((message.call_id, 'o=', *words[:2]), int(words[2]))}"
        elif letter == "c":
            address = names.host(words[-1])
            if media:
                media[-1][1] = address
        elif letter == "m" and len(words) > 3:
            port = "port 0" if words[1] == "0" else "open"
            media.append([f"{words[0]} {port} {words[2]} {' '.join(words[3:])}", address, direction])
        elif letter == "a" and value in ("sendrecv", "sendonly", "recvonly", "inactive"):
            direction = value if not media else direction
            if media:
                media[-1][2] = value
    return {"SDP origin": origin, "SDP media": "; ".join(f"{medium}, {turned}" for medium, _, turned in media)} | {
        "SDP address": "; ".join(where for _, where, _ in media)
    }
