"""Rules that hold of every flow, whatever it shows: what RFC 3261 makes messages that belong together have in common.

    assert broken_rules(steps, hosts, proxies={"Proxy 1", "Proxy 2"}) == []

Each broken rule is a line that names the message (by its label, see `comparison.py`) and what is wrong with it. Elements that are neither
in `proxies` nor in `others` are user agents; `others` are elements between that are no proxies, such as a B2BUA.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from ringback.message.fields.via import Via
from ringback.message.message import Message, Request, Response
from tests.flows.corpus import Step
from tests.flows.essentials import Names

# RFC 3261 §12.2, RFC 3311, RFC 6665: what sets the remote target anew.
_REFRESHES = {"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"}
_MAKE_DIALOGS = {"INVITE", "SUBSCRIBE", "REFER"}


class Flow(NamedTuple):
    """What the rules look at."""

    steps: Sequence[Step]
    names: Names
    proxies: Collection[str]
    others: Collection[str]

    def is_agent(self, element: str) -> bool:
        """Whether an element begins and ends calls."""
        return element not in self.proxies and element not in self.others

    def before(self, step: Step) -> Iterator[Step]:
        """The steps before one, the latest first."""
        yield from reversed(self.steps[: self.steps.index(step)])


def broken_rules(
    steps: Sequence[Step], hosts: Mapping[str, str], *, proxies: Collection[str] = (), others: Collection[str] = ()
) -> list[str]:
    """Every rule broken, a line for each."""
    flow = Flow(steps, Names(hosts), proxies, others)
    return [line for rule in RULES for line in rule(flow)]


def _line(step: Step, what: str) -> str:
    return f"{step.label} {step}: {what}"


def _way(vias: Sequence[Via]) -> list[tuple[str, str, int | None, str]]:
    """Vias without what a receiver adds to them (§18.2.1, RFC 3581)."""
    return [(via.transport, via.host, via.port, via.params.get("branch") or "") for via in vias]


def _core(message: Message) -> tuple[object, ...]:
    return message.from_.uri_text, message.from_tag, message.to.uri_text, message.call_id, message.cseq.number


def framed(flow: Flow) -> Iterator[str]:
    """Content-Length is the body's length (§20.14); over a stream it is always there (§18.3)."""
    for step in flow.steps:
        said = step.message.headers.texts("Content-Length")
        # Of a datagram's body the parser keeps no more than Content-Length says.
        length = len(step.octets.partition(b"\r\n\r\n")[2])
        if len(said) > 1 or (said and int(said[0]) != length):
            yield _line(step, f"Content-Length {said} of a body of {length} octets")
        if not said and step.message.via.transport != "UDP":
            yield _line(step, "no Content-Length over a stream")


def says_where_from(flow: Flow) -> Iterator[str]:
    """The topmost Via of a request is its sender's; a request has Max-Forwards (§8.1.1), its branch the cookie (§8.1.1.7)."""
    for step in flow.steps:
        message = step.message
        if not isinstance(message, Request):
            continue
        if flow.names.host(message.via.host).partition("@")[0] != step.sender:
            yield _line(step, f"its topmost Via is {message.via}, not its sender's")
        if not (message.via.params.get("branch") or "").startswith("z9hG4bK"):
            yield _line(step, f"branch {message.via.params.get('branch')!r} has no magic cookie")
        if message.max_forwards is None:
            yield _line(step, "no Max-Forwards")


def puts_first_what_proxies_read(flow: Flow) -> Iterator[str]:
    """Via, Route, Max-Forwards and Proxy-Require of a user agent's request stand above From (§7.3.1 recommends it)."""
    for step in flow.steps:
        if flow.is_agent(step.sender) and isinstance(step.message, Request):
            keys = step.message.headers.keys
            late = [key for key in ("via", "route", "max-forwards", "proxy-require") if key in keys[keys.index("from") :]]
            if late:
                yield _line(step, f"{', '.join(late)} below From")


def answers(flow: Flow) -> Iterator[str]:
    """A response has the Via, From, Call-ID and CSeq of a request its receiver sent, and its To but for the tag (§8.2.6.2)."""
    for step in flow.steps:
        message = step.message
        if not isinstance(message, Response):
            continue
        for one in flow.before(step):
            asked = one.message
            if isinstance(asked, Request) and asked.cseq == message.cseq and _way(asked.vias)[:1] == _way(message.vias)[:1]:
                if (one.sender, one.receiver) != (step.receiver, step.sender):
                    continue
                if _way(asked.vias) != _way(message.vias):
                    yield _line(step, f"its Via are not those of {one.label}")
                if _core(asked) != _core(message):
                    yield _line(step, f"From, To, Call-ID or CSeq are not those of {one.label}")
                if asked.to_tag is not None and asked.to_tag != message.to_tag:
                    yield _line(step, f"its To tag is not that of {one.label}")
                if message.status > 100 and message.to_tag is None:
                    yield _line(step, "no To tag")
                break
        else:
            yield _line(step, "no request that it answers")


def branches_are_transactions(flow: Flow) -> Iterator[str]:
    """A branch is one transaction's: of one request, its repetitions, its CANCEL (§9.1), the ACK of a final non-2xx (§17.1.1.3)."""
    first: dict[tuple[str, str], Step] = {}
    for step in flow.steps:
        message = step.message
        if not isinstance(message, Request):
            continue
        key = (step.sender, message.via.params.get("branch") or "")
        one = first.setdefault(key, step)
        asked = one.message
        assert isinstance(asked, Request)
        if message.method == "ACK":
            refused = any(
                isinstance(answer.message, Response) and answer.message.status >= 300 and answer.message.cseq.method == "INVITE"
                and answer.receiver == step.sender and (answer.message.via.params.get("branch") or "") == key[1]
                for answer in flow.before(step)
            )  # fmt: skip
            if refused != (asked.method == "INVITE"):
                yield _line(step, "an ACK has its INVITE's branch if that was refused, and else one of its own")
        elif message.method == "CANCEL":
            if asked.method == "CANCEL" or asked.cseq.number != message.cseq.number or asked.uri_text != message.uri_text:
                yield _line(step, "no request that it cancels")
        elif step.octets != one.octets:
            yield _line(step, f"has the branch of {one.label} and is another request")
        if message.method in ("ACK", "CANCEL") and one is not step:
            if len(message.vias) != 1:
                yield _line(step, "goes one hop and has more than one Via")
            if message.headers.texts("Route") != asked.headers.texts("Route"):
                yield _line(step, f"its Route is not that of {one.label}")


def forwards(flow: Flow) -> Iterator[str]:
    """What a proxy sends on it has received: one Via more, Max-Forwards one less, all else of the ends as it came (§16.6, back: §16.7)."""
    for step in flow.steps:
        message = step.message
        if step.sender not in flow.proxies:
            continue
        if isinstance(message, Request) and len(message.vias) > 1:
            way = _way(message.vias)[1:]
            came = next((one for one in flow.before(step) if one.receiver == step.sender and _is_copy(one.message, message, way)), None)
            if came is None:
                yield _line(step, "is forwarded, and never came")
                continue
            if _ends(came.message) != _ends(message):
                yield _line(step, f"From, To, Call-ID, CSeq, Contact or body are not those of {came.label}")
            if message.max_forwards is not None and message.max_forwards != (came.message.max_forwards or 71) - 1:
                yield _line(step, f"Max-Forwards {message.max_forwards} where {came.label} had {came.message.max_forwards}")
        elif isinstance(message, Response):
            for one in flow.before(step):
                if one.receiver == step.sender and isinstance(one.message, Response) and one.message.status == message.status:
                    if _way(one.message.vias)[1:] == _way(message.vias) and one.message.cseq == message.cseq:
                        if _ends(one.message) != _ends(message) or one.message.to_tag != message.to_tag:
                            yield _line(step, f"From, To, Call-ID, CSeq, Contact or body are not those of {one.label}")
                        break


def _is_copy(one: Message, message: Request, way: list[tuple[str, str, int | None, str]]) -> bool:
    return isinstance(one, Request) and one.method == message.method and _way(one.vias) == way


def _ends(message: Message) -> tuple[object, ...]:
    return (*_core(message), message.to_tag, message.headers.texts("Contact"), message.body)


def has_contact(flow: Flow) -> Iterator[str]:
    """A request that makes or refreshes a dialog and its 2xx say in one Contact where their sender is reached (§8.1.1.8, §12.1.1)."""
    for step in flow.steps:
        message = step.message
        needs = (
            message.method in _MAKE_DIALOGS if isinstance(message, Request) else message.is_success and message.cseq.method in _MAKE_DIALOGS
        )
        if needs and flow.is_agent(step.sender) and len(message.contacts) != 1:
            yield _line(step, f"{len(message.contacts)} Contact values")


def keeps_its_tag(flow: Flow) -> Iterator[str]:
    """A user agent gives every answer but 100 to one request the same To tag (§8.2.6.2)."""
    tags: dict[tuple[object, ...], tuple[Step, str | None]] = {}
    for step in flow.steps:
        message = step.message
        if isinstance(message, Response) and message.status > 100 and flow.is_agent(step.sender):
            key = (step.sender, message.call_id, message.from_tag, message.cseq.number, message.cseq.method, *_way(message.vias))
            one, tag = tags.setdefault(key, (step, message.to_tag))
            if tag != message.to_tag:
                yield _line(step, f"its To tag is not that of {one.label}")


def acknowledges(flow: Flow) -> Iterator[str]:
    """A final response to an INVITE that arrives has its ACK: a non-2xx hop by hop (§17.1.1.3), a 2xx from end to end (§13.2.2.4)."""
    acks = [step for step in flow.steps if isinstance(step.message, Request) and step.message.method == "ACK"]
    for step in flow.steps:
        message = step.message
        if not isinstance(message, Response) or message.cseq.method != "INVITE" or message.status < 200:
            continue
        later = [ack for ack in acks if ack.sender == step.receiver and flow.steps.index(ack) > flow.steps.index(step)]
        if message.status >= 300:
            if not any(_way(ack.message.vias) == _way(message.vias)[:1] and ack.message.to_tag == message.to_tag for ack in later):
                yield _line(step, "nobody acknowledges it")
        elif flow.is_agent(step.receiver):
            dialog = (message.call_id, message.from_tag, message.to_tag, message.cseq.number)
            if not any((one.message.call_id, one.message.from_tag, one.message.to_tag, one.message.cseq.number) == dialog for one in later):
                yield _line(step, "nobody acknowledges it")


class _Side:
    """What one user agent knows of one dialog."""

    def __init__(self) -> None:
        self.route_set: list[str] = []
        self.is_confirmed = False
        self.target: str | None = None
        self.local_seq: int | None = None
        self.invites: set[int] = set()


def stays_in_its_dialog(flow: Flow) -> Iterator[str]:
    """A request within a dialog goes to the remote target by the route set (§12.2.1.1); CSeq rises by one, an ACK has its INVITE's."""
    sides: dict[tuple[str, str, str | None, str | None], _Side] = {}
    asked: dict[tuple[str, str, str | None, int], Request] = {}
    sent: set[tuple[str, bytes]] = set()
    for step in flow.steps:
        message = step.message
        if isinstance(message, Response):
            _learn_from_response(flow, step, message, sides)
            continue
        is_repeated = (step.sender, step.octets) in sent
        sent.add((step.sender, step.octets))
        if message.method == "CANCEL" or is_repeated:
            continue
        if flow.is_agent(step.sender):
            key = (step.sender, message.call_id, message.from_tag, message.to_tag)
            if message.to_tag is not None and not _is_ack_of_refusal(flow, step):
                if key not in sides:
                    yield _line(step, "its sender knows no such dialog")
                else:
                    yield from _within(step, message, sides[key])
            asked[(step.sender, message.call_id, message.from_tag, message.cseq.number)] = message
        if flow.is_agent(step.receiver) and message.method in _REFRESHES | _MAKE_DIALOGS:
            key = (step.receiver, message.call_id, message.to_tag, message.from_tag)
            if message.to_tag is not None and key in sides and message.contacts:
                sides[key].target = message.contact.uri_text


def _is_ack_of_refusal(flow: Flow, step: Step) -> bool:
    message = step.message
    return isinstance(message, Request) and message.method == "ACK" and any(
        isinstance(one.message, Request) and one.message.method == "INVITE" and one.sender == step.sender
        and _way(one.message.vias) == _way(message.vias)
        for one in flow.before(step)
    )  # fmt: skip


def _within(step: Step, message: Request, side: _Side) -> Iterator[str]:
    if side.target is not None and message.uri_text != side.target:
        yield _line(step, f"goes to {message.uri_text}, and the remote target is {side.target}")
    routes = [str(route) for route in message.headers.values("route")]
    if routes != side.route_set:
        yield _line(step, f"Route {routes}, and the route set is {side.route_set}")
    number = message.cseq.number
    if message.method == "ACK":
        if number not in side.invites:
            yield _line(step, f"CSeq {number} is no INVITE's of this dialog")
        return
    if side.local_seq is not None and number != side.local_seq + 1:
        yield _line(step, f"CSeq {number} after {side.local_seq}")
    side.local_seq = number
    if message.method == "INVITE":
        side.invites.add(number)


def _learn_from_response(flow: Flow, step: Step, message: Response, sides: dict[tuple[str, str, str | None, str | None], _Side]) -> None:
    method = message.cseq.method
    if message.to_tag is None or not 100 < message.status < 300 or method not in _REFRESHES | _MAKE_DIALOGS:
        return
    request = next(
        (
            one.message
            for one in flow.before(step)
            if isinstance(one.message, Request) and one.message.cseq == message.cseq and one.message.call_id == message.call_id
            and one.message.from_tag == message.from_tag and step.sender == one.receiver
        ),
        None,
    )  # fmt: skip
    routes = [str(route) for route in message.headers.values("record-route")]
    if flow.is_agent(step.receiver):
        key = (step.receiver, message.call_id, message.from_tag, message.to_tag)
        is_new = key not in sides
        side = sides.setdefault(key, _Side())
        if not side.is_confirmed:
            side.route_set = routes[::-1]
            side.is_confirmed = message.is_success
        if is_new:
            side.local_seq = message.cseq.number
        if method == "INVITE":
            side.invites.add(message.cseq.number)
        if message.contacts:
            side.target = message.contact.uri_text
    if flow.is_agent(step.sender) and request is not None:
        key = (step.sender, message.call_id, message.to_tag, message.from_tag)
        if key not in sides and method in _MAKE_DIALOGS:
            side = sides[key] = _Side()
            side.is_confirmed = True
            side.route_set = [str(route) for route in request.headers.values("record-route")]
            side.target = request.contact.uri_text if request.contacts else None


RULES: tuple[Callable[[Flow], Iterator[str]], ...] = (
    framed,
    says_where_from,
    puts_first_what_proxies_read,
    answers,
    branches_are_transactions,
    forwards,
    has_contact,
    keeps_its_tag,
    acknowledges,
    stays_in_its_dialog,
)
"""Every rule, each a function that gives a line for each time it is broken."""
