"""A publication of ours: event state put where others subscribe to it, renewed, changed and removed (RFC 3903 §4, §5).

async with agent.publish("presence", closed, content_type="application/pidf+xml") as publication:
    await publication.update(open_)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ringback.agent.call.negotiation import put_body
from ringback.agent.errors import RequestFailed, RequestTimedOut, failure
from ringback.agent.event.lifetime import renewal_delay
from ringback.agent.event.subscriber import DEFAULT_EXPIRES, MAX_ATTEMPTS, min_expires_of
from ringback.message.errors import SipParseError
from ringback.message.fields.event import Event
from ringback.message.message import Request, Response

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

OnFailure = Callable[[RequestFailed], None]

# A choice: what a compositor grants for less than that is not worth a request.
_SHORTEST = 1.0


class Publication:
    """Event state of ours at a compositor. Entering or awaiting it publishes; leaving it removes the state.

    It is renewed until it is removed. A renewal that gets no answer, or a 5xx, is tried again; one that is refused otherwise is the end of
    it: `failure` says why.
    """

    def __init__(
        self,
        core: AgentCore,
        event: Event,
        body: bytes,
        *,
        content_type: str,
        expires: int = DEFAULT_EXPIRES,
        uri: str | None = None,
        headers: Iterable[tuple[str, object]] = (),
        on_failure: OnFailure | None = None,
    ) -> None:
        """`expires` in seconds is what is asked for; `uri` whose state it is, our own address-of-record unless given.

        `on_failure` hears of a renewal that failed.
        """
        self.core = core
        self.event = event
        self.uri = uri or core.identity.aor
        self.body = body
        self.content_type = content_type
        self.expires = expires
        self.entity_tag: str | None = None
        """What the compositor calls our state (SIP-ETag); None while it has none of ours."""
        self.failure: RequestFailed | None = None
        """Why the latest request failed; None where it did not."""
        self._headers = list(headers)
        self._on_failure = on_failure
        self._turn: asyncio.Lock | None = None
        self._is_stale = True
        self._is_removed = False
        self._expires_at = 0.0
        self._renewal: asyncio.TimerHandle | None = None

    # What a program does.

    async def publish(self) -> None:
        """Publishes the state (§4.2). Raises `RequestFailed`."""
        self._is_removed = False
        self._join()
        await self._finish(self._put())

    async def update(self, body: bytes, *, content_type: str | None = None) -> None:
        """Puts another state in the place of this one (§4.4). Raises `RequestFailed`; the next renewal then tries again."""
        self.body = body
        self.content_type = content_type or self.content_type
        self._is_stale = True
        await self.publish()

    async def refresh(self) -> None:
        """Renews it before its time (§4.3). Raises `RequestFailed`."""
        await self.publish()

    async def remove(self) -> None:
        """Removes the state (§4.5). Raises `RequestFailed` where that cannot be done; it then lasts until it expires."""
        self._is_removed = True
        self._stop()
        await self._finish(self._take_back())

    def __await__(self) -> Generator[Any, Any, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        try:
            await self.publish()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.failure = await asyncio.shield(self._remove())

    def close(self) -> None:
        """The agent closes, or whoever entered was interrupted: removes the state in a task of the core's."""
        self._remove()

    def _remove(self) -> asyncio.Task[RequestFailed | None]:
        self._is_removed = True
        self._stop()
        return self.core.spawn(self._take_back())

    async def _finish(self, sending: Coroutine[Any, Any, RequestFailed | None]) -> None:
        """Waits for a request in a task of its own: who stops waiting does not stop it (§4: one at a time)."""
        self.failure = await asyncio.shield(self.core.spawn(sending))
        if self.failure is not None:
            raise self.failure

    # What goes to the compositor.

    def _join(self) -> None:
        if self._turn is None:
            # §4: no other PUBLISH to the same Request-URI before the one before is answered, whatever it publishes.
            others = (one for one in self.core.standing if isinstance(one, Publication) and one.uri == self.uri)
            self._turn = next((one._turn for one in others if one._turn is not None), None) or asyncio.Lock()
        self.core.standing.add(self)

    def _request(self, *, expires: int, has_body: bool) -> Request:
        """Table 1 of §4.1: a tag and a body say what is asked for."""
        request = self.core.request("PUBLISH", self.uri)
        headers = request.headers
        headers.append("Event", self.event)
        headers.append("Expires", expires)
        if self.entity_tag is not None:
            headers.append("SIP-If-Match", self.entity_tag)
        for name, value in self._headers:
            headers.append(name, value)
        if has_body:
            put_body(request, self.content_type, self.body)
        return request

    async def _put(self) -> RequestFailed | None:
        """Publishes, changes or renews, whichever is needed now; gives what went wrong."""
        assert self._turn is not None, "it has joined the others"
        core = self.core
        fault: RequestFailed | None = None
        async with self._turn:
            for _ in range(MAX_ATTEMPTS):
                if self._is_removed:
                    return None
                if core.loop.time() >= self._expires_at:
                    self.entity_tag = None
                is_stale, body = self._is_stale or self.entity_tag is None, self.body
                tag, asked = self.entity_tag, self.expires
                exchange = await core.ask(self._request(expires=asked, has_body=is_stale))
                response = exchange.response
                assert response is not None, "the exchange has ended"
                if response.is_success:
                    self._is_stale = self._is_stale and self.body is not body
                    self._published(response, asked)
                    return None
                fault = failure(response.status, response.reason, None if exchange.fault else response, fault=exchange.fault)
                if response.status == 412 and tag is not None:
                    # §5: the tag is void, so the whole state goes out anew.
                    self.entity_tag = None
                elif response.status == 423 and (least := min_expires_of(response)) is not None and least > asked:
                    self.expires = least
                else:
                    break
        return fault

    def _published(self, response: Response, asked: int) -> None:
        try:
            self.entity_tag = response.headers.value("SIP-ETag")
            given = response.expires
        except SipParseError:
            self.entity_tag = given = None
        granted = asked if given is None else min(given, asked)
        self._expires_at = self.core.loop.time() + granted
        if not self._is_removed:
            self._renew_in(max(renewal_delay(granted, self.core.timers.t1), _SHORTEST))

    async def _take_back(self) -> RequestFailed | None:
        """Removes the state, after whatever request is under way; gives what went wrong. A 412 says that it is gone already."""
        self.core.standing.discard(self)
        if self._turn is None:
            return None
        async with self._turn:
            if self.entity_tag is None:
                return None
            exchange = await self.core.ask(self._request(expires=0, has_body=False))
            self.entity_tag = None
            self._is_stale = True
            response = exchange.response
            assert response is not None, "the exchange has ended"
            if response.is_success or response.status == 412:
                return None
            return failure(response.status, response.reason, None if exchange.fault else response, fault=exchange.fault)

    # What goes on meanwhile.

    def _renew_in(self, seconds: float) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        self._renewal = self.core.loop.call_later(seconds, self._renew)

    def _renew(self) -> None:
        self._renewal = None
        self.core.spawn(self._renewed())

    async def _renewed(self) -> None:
        fault = self.failure = await self._put()
        if fault is None:
            return
        if self._on_failure is not None:
            self._on_failure(fault)
        if not self._is_removed and (500 <= fault.status < 600 or isinstance(fault, RequestTimedOut)):
            left = self._expires_at - self.core.loop.time()
            self._renew_in(max(left / 2, fault.retry_after or 0, 64 * self.core.timers.t1))

    def _stop(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None
