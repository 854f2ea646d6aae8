"""Our binding at one registrar, over one flow: made, refreshed, lost, made again, removed (RFC 3261 §10.2, RFC 5626 §4.2 to §4.5)."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, NamedTuple

from ringback.address import Endpoint, Flow
from ringback.agent.errors import AuthenticationFailed, RequestFailed, RequestRejected, Unreachable
from ringback.agent.registration.keepalive import Keepalive, wish_for
from ringback.agent.registration.registrar import Registrar, contacts_of, hosts_of, service_route_of
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import unquote
from ringback.message.message import Response
from ringback.message.uri import SipUri, parse_uri

if TYPE_CHECKING:
    from ringback.agent.capabilities import Capabilities
    from ringback.agent.core import AgentCore
    from ringback.agent.registration.registration import Registration
    from ringback.agent.registration.registrations import Registrations

# Seconds. Refreshed 600 before the end, or halfway where that is sooner, as 3GPP TS 24.229 §5.1.1.4 has phones do; up to a tenth sooner,
# by chance, so that those who registered together (after a power cut, say) drift apart. A registrar that grants next to nothing is asked
# every five seconds at most: a choice.
_AHEAD = 600.0
_SHORTEST_PAUSE = 5.0

# RFC 5626 §4.5: the longest wait after a first failure is twice the base, then it doubles up to the maximum; half of it is chance. The
# base is longer where another flow of ours stands.
_BASE_PAUSE = 30.0
_BASE_PAUSE_BESIDE_ANOTHER = 90.0
_LONGEST_PAUSE = 1800.0

# A Retry-After (§20.33) is waited for, but a slip of the pen there shall not keep a phone off for years. A choice: a day.
_LONGEST_RETRY_AFTER = 86_400.0

# Refusals below 500 that may pass by themselves. After any other the same request would only be refused again.
_PASSING = frozenset((408, 429, 480, 486, 491))

_chance = secrets.SystemRandom().random


class Gruus(NamedTuple):
    """What a registrar gives us to be reached by from anywhere (RFC 5627 §4.2)."""

    public: str | None = None
    temporary: str | None = None


NONE = Gruus()


class Binding:
    """Our binding at one registrar."""

    __slots__ = (
        "_asked",
        "_contact",
        "_end",
        "_failures",
        "_keepalive",
        "_q",
        "_reg_id",
        "_registrations",
        "_task",
        "fault",
        "gruus",
        "is_bound",
        "registrar",
        "service_route",
        "user",
    )

    def __init__(
        self, user: Registration, registrations: Registrations, registrar: Registrar, reg_id: int, expires: int, q: float | None
    ) -> None:
        """`reg_id` numbers our flows, always in the same way; it goes out where the agent has an instance."""
        self.user = user
        self.registrar = registrar
        self.is_bound = False
        self.fault: RequestFailed | None = None
        self.service_route: tuple[str, ...] = ()
        self.gruus = NONE
        self._registrations = registrations
        self._asked = expires
        self._q = "" if q is None else f";q={q:.3f}".rstrip("0").rstrip(".")
        self._reg_id = 0 if registrations.core.identity.instance is None else reg_id
        self._contact: str | None = None
        self._end: asyncio.TimerHandle | None = None
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._keepalive: Keepalive | None = None

    @property
    def expires_in(self) -> int | None:
        """The seconds that it still lasts; None where there is none."""
        return None if self._end is None else round(self._end.when() - self._core.loop.time())

    @property
    def _core(self) -> AgentCore:
        return self._registrations.core

    @property
    def _capabilities(self) -> Capabilities:
        return self._registrations.capabilities

    def _write_contact(self, endpoint: Endpoint) -> str:
        identity = self._core.identity
        self._contact = identity.own_contact(endpoint)
        if identity.instance is not None:
            self._contact += f';+sip.instance="<{identity.instance}>"'
        if self._reg_id:
            self._contact += f";reg-id={self._reg_id}"
        return f"{self._contact}{self._capabilities.contact_params(endpoint)}{self._q}"

    async def make(self) -> RequestFailed | None:
        """Registers now and from then on; gives the fault where that fails, and tries again later unless it was refused for good."""
        await self.stop()
        pause: float | None
        try:
            pause = await self._register()
        except RequestFailed as error:
            pause = self._failed(error)
        if self._task is not None:
            # The flow failed meanwhile: that is seen to as well.
            await self.stop()
        if pause is not None:
            self._task = self._core.loop.create_task(self._keep(pause))
        return self.fault

    async def _keep(self, pause: float | None) -> None:
        while pause is not None:
            await asyncio.sleep(pause)
            try:
                pause = await self._register()
            except RequestFailed as error:
                pause = self._failed(error)

    async def _register(self) -> float:
        """One REGISTER that succeeds; gives the seconds after which it wants to be refreshed."""
        response = await self._ask()
        assert self._contact is not None, "the REGISTER had a Contact"
        seconds = granted(response, self._contact, self._asked)
        if seconds == 0:
            raise RequestRejected(response.status, "the registrar keeps no binding of ours", response)
        self.fault = None
        self.service_route = service_route_of(response)
        self.gruus = gruus_of(response, self._contact)
        for host in hosts_of(self.service_route):
            # RFC 3608: whom the registrar names may ask for its realm's password, as an outbound proxy may.
            self._core.accounts.trust(host)
        self._keep_alive(response)
        if self._keepalive is None:
            self._failures = 0
        self._bound(seconds)
        return refresh_after(seconds, _chance())

    async def _ask(self) -> Response:
        try:
            return await self.registrar.ask(self._write_contact, self._asked)
        except RequestRejected as error:
            if error.status != 439 or not self._reg_id:
                raise
            # RFC 5626 §4.2.1: a proxy before the registrar knows nothing of flows; then as phones have always registered.
            self._reg_id = 0
            return await self.registrar.ask(self._write_contact, self._asked)

    # The flow it was made over, where both ends want it kept alive.

    def _keep_alive(self, response: Response) -> None:
        is_wanted, most = wish_for(response)
        flow = self.registrar.flow
        keepalive = self._keepalive
        if keepalive is not None and is_wanted and (keepalive.flow, keepalive.most) == (flow, most):
            return
        self._rest()
        if is_wanted and flow is not None:
            self._keepalive = Keepalive(self._core, flow, most, self._heard, self.flow_failed)

    def _rest(self) -> None:
        keepalive, self._keepalive = self._keepalive, None
        if keepalive is not None:
            keepalive.stop()

    def _heard(self) -> None:
        """§4.5: only now a flow has succeeded."""
        self._failures = 0

    def is_over(self, flow: Flow) -> bool:
        """Whether it lives by this flow."""
        return self._keepalive is not None and self._keepalive.flow == flow

    def flow_failed(self, reason: str) -> None:
        """Makes the binding anew over another flow: at once, or later where this one has never been heard of (§4.5)."""
        keepalive = self._keepalive
        if keepalive is None:
            return
        self._rest()
        self._core.transports.drop(keepalive.flow, reason)
        self.registrar.forget_target()
        pause = 0.0
        if not keepalive.was_answered:
            self._failures += 1
            pause = self._back_off()
            self.fault = Unreachable(503, f"the flow has failed: {reason}")
            self.user.bindings_changed()
        if self._task is not None:
            self._task.cancel()
        self._task = self._core.loop.create_task(self._keep(pause))

    def _bound(self, seconds: float) -> None:
        self.is_bound = True
        if self._end is not None:
            self._end.cancel()
        self._end = self._core.loop.call_later(seconds, self._lose)
        self.user.bindings_changed()

    def _lose(self) -> None:
        """The binding is no more, or can no longer be counted on."""
        self.is_bound = False
        self.service_route = ()
        self.gruus = NONE
        if self._end is not None:
            self._end.cancel()
            self._end = None
        self.user.bindings_changed()

    def _failed(self, error: RequestFailed) -> float | None:
        """The seconds to wait after a failure; None where trying again would be of no use."""
        self.fault = error
        if is_definite(error):
            self._rest()
            self._lose()
            return None
        self._failures += 1
        self.user.bindings_changed()
        return max(self._back_off(), min(error.retry_after or 0.0, _LONGEST_RETRY_AFTER))

    def _back_off(self) -> float:
        stands_another = self._reg_id and any(one.fault is None and one.is_bound for one in self.user.bindings if one is not self)
        return back_off(self._failures, _chance(), _BASE_PAUSE_BESIDE_ANOTHER if stands_another else _BASE_PAUSE)

    async def stop(self) -> None:
        """Ends the refreshing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def end(self) -> None:
        """Ends the refreshing and the signs of life."""
        self._rest()
        await self.stop()

    async def remove(self) -> None:
        """Removes the binding, where there may be one."""
        await self.end()
        contact = self._contact
        # After a timeout, or while no answer has come, nobody knows whether the registrar has it.
        is_there = self.is_bound or self.registrar.is_asked or (self.fault is not None and self.fault.response is None)
        self.fault = None
        self._lose()
        if contact is None or not is_there:
            return
        try:
            await self.registrar.ask(lambda _: contact, 0)
        except RequestFailed as error:
            self.fault = error


def _ours(response: Response, contact: str) -> list[NameAddr]:
    """What a 2xx to REGISTER says of our Contact, whose URI is compared as URIs are (§19.1.4), and its flow where it has one."""
    asked = NameAddr.parse(contact)
    found = []
    for binding in contacts_of(response):
        try:
            if asked.uri.matches(binding.uri) and binding.params.get("reg-id") in (None, asked.params.get("reg-id")):
                found.append(binding)
        except SipParseError:
            continue
    return found


def granted(response: Response, contact: str, asked: int) -> int:
    """The seconds for which a 2xx to REGISTER says that our Contact is bound (§10.2.4)."""
    own = [seconds for binding in _ours(response, contact) if (seconds := binding.expires) is not None]
    if own:
        return max(own)
    # It says so for all, or it knows us by another address, as behind an address translator, or tells nobody what it keeps.
    expires = response.expires
    return asked if expires is None else expires


def gruus_of(response: Response, contact: str) -> Gruus:
    """The GRUUs that a 2xx to REGISTER gives our Contact; what is none is passed over."""
    for binding in _ours(response, contact):
        return Gruus(_gruu(binding.params.get("pub-gruu")), _gruu(binding.params.get("temp-gruu")))
    return NONE


def _gruu(quoted: str | None) -> str | None:
    if quoted is None or quoted[:1] != '"':
        return None
    text = unquote(quoted)
    try:
        uri = parse_uri(text)
    except SipParseError:
        return None
    # It goes into our Contact as it stands (RFC 5627 §4.2).
    return text if isinstance(uri, SipUri) and "gr" in uri.params else None


def refresh_after(seconds: float, chance: float) -> float:
    """When to refresh a binding that lasts so many seconds; `chance` is from 0 to 1."""
    latest = seconds - _AHEAD if seconds > 2 * _AHEAD else seconds / 2
    return max(latest * (1 - chance / 10), _SHORTEST_PAUSE)


def back_off(failures: int, chance: float, base: float = _BASE_PAUSE) -> float:
    """The seconds to wait after so many failures in a row (RFC 5626 §4.5); `chance` is from 0 to 1."""
    longest = _LONGEST_PAUSE if failures > 10 else min(_LONGEST_PAUSE, base * 2**failures)
    return longest * (1 + chance) / 2


def is_definite(error: RequestFailed) -> bool:
    """Whether the same request would be refused again: the fault is ours, or the user is not known there."""
    if isinstance(error, AuthenticationFailed) or error.status >= 600:
        return True
    return 400 <= error.status < 500 and error.status not in _PASSING and error.retry_after is None
