"""The redirect server: callers are told where a user is, and go there themselves (RFC 3261 §8.3, §21.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ringback.message.derive import response_to
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request
from ringback.server.proxy.answer import answer_to
from ringback.server.proxy.destination import destination
from ringback.server.proxy.routing import Decision, Forward, Redirect, Reject
from ringback.server.proxy.settling import preferred, settled
from ringback.transaction.events import RequestReceived
from ringback.transaction.matching import cancelled_key

if TYPE_CHECKING:
    from ringback.server.access import Access
    from ringback.server.domains import Place
    from ringback.server.proxy.proxy import Determine, Refuse
    from ringback.server.proxy.reach import Resolve
    from ringback.server.sources import Sources
    from ringback.transaction.layer import TransactionLayer
    from ringback.transaction.transaction import ServerTransaction

# Preferences of contacts that shall be tried in this order: so many can be told apart in the digits that a qvalue has.
_MOST_STEPS = 1000


class RedirectServer:
    """Answers instead of forwarding: the targets that a proxy would try are the Contacts of a 3xx."""

    def __init__(
        self,
        layer: TransactionLayer,
        *,
        access: Access | None,
        sources: Sources,
        determine: Determine,
        resolve: Resolve,
        refuse: Refuse,
        tag_of: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        """`tag_of(key)` is the To tag of what answers the request of a transaction; `clock` is that of the bindings."""
        self._layer = layer
        self._access = access
        self._sources = sources
        self._determine = determine
        self._resolve = resolve
        self._refuse = refuse
        self._tag_of = tag_of
        self._clock = clock

    def receive(self, event: RequestReceived, place: Place, now: float) -> None:
        """Answers a request whatever its method, Require or other fields ask for (§8.3); `place` is what its Request-URI means."""
        request = event.request
        transaction = event.transaction
        assert transaction is not None
        refusal = self._access.refusal(request, event.flow, place, now) if self._access is not None else None
        if refusal is not None:
            self._refuse(transaction, request, refusal)
            return
        decision = self._determine(request, partial(self._follow, transaction, request))
        if decision is not None:
            self._follow(transaction, request, decision, now)

    def _follow(self, transaction: ServerTransaction, request: Request, decision: Decision, now: float) -> None:
        found = settled(decision, request, self._resolve, partial(self._follow, transaction, request))
        if found is not None and not transaction.is_terminated:
            self._answer(transaction, request, self._redirection(found, request) if isinstance(found, Forward) else found, now)

    def _redirection(self, forward: Forward, request: Request) -> Redirect | Reject:
        """The targets of a decision as Contacts, the best first: each with its q and the seconds it is good for, where these are known.

        Only who holds its flow or is on its Path reaches a phone that is behind one: such a target nobody can be sent to.
        """
        try:
            steps = preferred(forward, request)
        except SipParseError as error:
            return Reject(400, f"Malformed {error}")
        places = {one.uri: index for index, step in enumerate(steps) for one in step}
        contacts: dict[str, NameAddr] = {}
        for target in forward.targets:
            one = destination(target)
            if one.route or one.flow or one.uri not in places or one.uri in contacts:
                continue
            contact = contacts[one.uri] = NameAddr(one.uri)
            if len(steps) > 1 and forward.one_by_one:
                contact.params["q"] = f"{max(1 - places[one.uri] / _MOST_STEPS, 0):g}"
            elif (q := getattr(target, "q", None)) is not None:
                contact.params["q"] = f"{q:g}"
            expires_at = getattr(target, "expires_at", None)
            if expires_at is not None:
                contact.params["expires"] = str(max(int(expires_at - self._clock()), 0))
        if not contacts:
            return Reject(480)
        return Redirect(*sorted(contacts.values(), key=lambda contact: places[contact.uri_text]))

    def _answer(self, transaction: ServerTransaction, request: Request, decision: Redirect | Reject, now: float) -> None:
        """Answers with a transaction (§8.3), but a source that may be forged once only: repeating would aim at whom it names."""
        flow = transaction.flow
        if transaction.response or flow.endpoint.is_reliable or self._sources.is_proven(flow.host, now):
            self._layer.respond(transaction, answer_to(request, decision, self._tag_of(transaction.key)), now)
        else:
            self._refuse(transaction, request, decision)

    def cancel(self, cancel: Request, transaction: ServerTransaction) -> None:
        """Answers a CANCEL with 200 (§8.3): what it cancels has its answer, or gets it all the same."""
        tag = self._tag_of(cancelled_key(cancel, cancel.via))
        self._layer.reject(transaction, response_to(cancel, 200, tag=tag))
