"""Raw peers that subscribe, and raw peers that notify."""

from __future__ import annotations

from typing import Any

from ringback import Request, Response
from tests.server.party import Party

PIDF = "application/pidf+xml"


def notify(
    party: Party,
    subscribe: Request,
    state: str | None = "active;expires=3600",
    *,
    tag: str = "bob-tag",
    cseq: int = 1,
    event: str | None = "presence",
    body: str = "",
    content_type: str = PIDF,
    extra: str = "",
) -> Request:
    """Sends the NOTIFY that a peer's SUBSCRIBE asks for; gives it."""
    fields = [] if event is None else [f"Event: {event}"]
    if state is not None:
        fields.append(f"Subscription-State: {state}")
    if body:
        fields.append(f"Content-Type: {content_type}")
    if extra:
        fields.append(extra)
    to = subscribe.headers.text("To") or ""
    return party.ask(
        "NOTIFY",
        subscribe.contact.uri_text,
        from_=to if ";tag=" in to else f"{to};tag={tag}",
        to=subscribe.headers.text("From"),
        call_id=subscribe.call_id,
        cseq=cseq,
        contact=f"<{party.uri}>",
        extra="\n".join(fields),
        body=body,
    )


class Watcher:
    """A raw peer's subscription: what it asks, and the numbers that count up."""

    def __init__(self, party: Party, uri: str, event: str = "presence", call_id: str = "watch") -> None:
        self.party = party
        self.uri = uri
        self.event = event
        self.call_id = call_id
        self.cseq = 0
        self.ok: Response | None = None

    def ask(self, expires: int | None = 3600, *, accept: str | None = None, event: str | None = "", extra: str = "", **parts: Any) -> Request:
        """Sends a SUBSCRIBE: the first, or the next one within the dialog."""
        self.cseq += 1
        fields = [] if event is None else [f"Event: {event or self.event}"]
        fields += [] if expires is None else [f"Expires: {expires}"]
        fields += [] if accept is None else [f"Accept: {accept}"]
        fields += [extra] if extra else []
        if self.ok is not None:
            parts.setdefault("to", self.ok.headers.text("To"))
        uri = self.uri if self.ok is None else self.ok.contact.uri_text
        return self.party.ask("SUBSCRIBE", uri, call_id=self.call_id, cseq=self.cseq, extra="\n".join(fields), **parts)

    async def subscribe(self, expires: int | None = 3600, *, answer: int = 200, **parts: Any) -> Request:
        """Subscribes or refreshes, hears the 200 and the NOTIFY, answers that; gives the NOTIFY."""
        self.ask(expires, **parts)
        ok = await self.party.hears("200 SUBSCRIBE")
        self.ok = self.ok or ok
        self.latest = ok
        return await self.notified(answer)

    async def notified(self, answer: int = 200, **parts: Any) -> Request:
        """The next NOTIFY, which is answered so."""
        notification: Request = await self.party.hears("NOTIFY")
        self.party.reply(notification, answer, **parts)
        return notification

    async def refused(self, status: int, expires: int | None = 3600, **parts: Any) -> Response:
        """Subscribes or refreshes; gives the refusal, which must be this one."""
        self.ask(expires, **parts)
        refusal: Response = await self.party.hears(f"{status} SUBSCRIBE")
        return refusal

    async def leave(self) -> Request:
        """Ends the subscription; gives the last NOTIFY."""
        return await self.subscribe(0)
