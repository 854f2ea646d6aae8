"""What a REGISTER makes of the bindings of its address-of-record (RFC 3261 §10.3 steps 6 and 7, RFC 5626 §6, RFC 5627 §5.1)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from ringback.message.fields.name_addr import NameAddr, Star
from ringback.message.grammar import Params, render_params
from ringback.message.message import Request
from ringback.message.uri import Uri, parse_uri
from ringback.server.config import RegistrarConfig
from ringback.server.location.binding import Binding
from ringback.server.outbound.instance import instance_of, reg_id_of
from ringback.server.registrar.plain_contact import PlainContact
from ringback.server.registrar.reach import AT_ITS_URI, Reach
from ringback.server.registrar.refused import Refused

# A Contact's URI and parameters together: a 200 repeats them all, to whoever asks.
MAX_CONTACT = 1_024
# What the registrar says with each answer, so that no Contact says it (§10.3 step 8, RFC 5627 §5.1).
_ITS_OWN_WORDS = frozenset(("expires", "pub-gruu", "temp-gruu"))
# As many as an integer of the store holds.
_ERA_BITS = 63
# Below an hour, and only there, a wish may be refused as too brief (§10.3 step 7).
_HOUR = 3_600


class Registration:
    """One REGISTER as far as its bindings go: who asks (`call_id`, `cseq`, `source`), and by what rules (`config`)."""

    __slots__ = ("_check", "_instances", "aor", "call_id", "config", "cseq", "expires", "new_row", "now", "reach", "source")

    def __init__(
        self,
        request: Request,
        aor: str,
        source: str,
        now: float,
        config: RegistrarConfig,
        new_row: Callable[[], int],
        check: Callable[[Registration, Uri, str], None],
        reach: Reach = AT_ITS_URI,
    ) -> None:
        """`check(self, uri, instance)` raises `Refused` for a Contact that may not be bound; `reach` says how its contacts are reached."""
        self.aor = aor
        self.source = source
        self.now = now
        self.config = config
        self.new_row = new_row
        self.call_id = request.call_id
        self.cseq: int = request.cseq.number
        self.expires: int | None = request.expires
        self.reach = reach
        self._check = check
        self._instances: dict[str, int] = {}

    def applied(self, contacts: Sequence[NameAddr | PlainContact | Star], before: Sequence[Binding]) -> list[Binding]:
        """The bindings after this REGISTER, given those before it that have not expired; `Refused` or `SipParseError`, and none change."""
        if len(contacts) > self.config.max_contacts:
            raise Refused(403, f"Too Many Contacts, at Most {self.config.max_contacts}")
        addresses = [contact for contact in contacts if not isinstance(contact, Star)]
        if len(addresses) < len(contacts):
            if addresses or len(contacts) > 1 or self.expires != 0:
                raise Refused(400, "Contact * Must Stand Alone With Expires 0")
            for binding in before:
                self._check_order(binding)
            return []
        after = list(before)
        for contact in addresses:
            self._apply(contact, before, after)
        for instance, reg_id in self._instances.items():
            _enter_era(instance, reg_id, self.call_id, before, after)
        if len(after) > self.config.max_contacts and len(after) > len(before):
            raise Refused(403, f"Too Many Bindings, at Most {self.config.max_contacts}")
        return after

    def _apply(self, contact: NameAddr | PlainContact, before: Sequence[Binding], after: list[Binding]) -> None:
        expires = self._granted(contact)
        text = contact.uri_text
        params = contact.params
        instance, reg_id = self._user_agent(params) if params else ("", 0)
        index = _find(contact, after) if reg_id == 0 else _find_flow(instance, reg_id, after)
        found = None if index is None else after[index]
        if found is not None and found in before:
            # A Contact that stands twice in one REGISTER is not out of order: its last word holds.
            self._check_order(found)
        if expires == 0:
            if index is not None:
                del after[index]
            return
        kept = "" if not params or (len(params) == 1 and "expires" in params) else _without_its_own_words(params)
        if len(text) + len(kept) > MAX_CONTACT:
            raise Refused(403, f"Contact Too Long, at Most {MAX_CONTACT} Characters")
        # What was looked at when it was bound need not be looked at when it is refreshed, nor what is plain to see.
        if (found is None or found.contact != text or found.source != self.source) and not isinstance(contact, PlainContact):
            self._check(self, contact.uri, instance)
        if instance:
            self._instances[instance] = reg_id
        q = contact.q
        reach = self.reach
        binding = Binding(
            self.new_row() if found is None else found.row,
            self.aor,
            text,
            kept,
            1.0 if q is None else q,
            self.now + expires,
            expires,
            self.call_id,
            self.cseq,
            reach.path,
            self.source,
            reach.flow,
            instance,
            reg_id,
        )
        if index is None:
            after.append(binding)
        else:
            after[index] = binding

    def _user_agent(self, params: Params) -> tuple[str, int]:
        """Instance and reg-id of a Contact; no reg-id where the rules of RFC 5626 do not hold, or without an instance (§6)."""
        instance = instance_of(params)
        return instance, reg_id_of(params) if instance and self.reach.is_outbound and "reg-id" in params else 0

    def _granted(self, contact: NameAddr | PlainContact) -> int:
        """The expiration interval: the Contact's wish, else the request's, else ours; never longer than `max_expires`."""
        wish = contact.expires
        if wish is None:
            wish = self.config.default_expires if self.expires is None else self.expires
        if 0 < wish < _HOUR and wish < self.config.min_expires:
            raise Refused(423, headers=[("Min-Expires", str(self.config.min_expires))])
        return min(wish, self.config.max_expires)

    def _check_order(self, binding: Binding) -> None:
        if binding.call_id == self.call_id and self.cseq <= binding.cseq:
            raise Refused(500, "CSeq Out of Order")


def _find(contact: NameAddr | PlainContact, bindings: list[Binding]) -> int | None:
    """The binding of this Contact: one written alike, else one whose URI is equivalent (§19.1.4, which is not transitive)."""
    if not bindings:
        return None
    text = contact.uri_text
    for index, binding in enumerate(bindings):
        if binding.contact == text and not binding.reg_id:
            return index
    uri = contact.uri
    for index, binding in enumerate(bindings):
        if not binding.reg_id and uri.matches(parse_uri(binding.contact)):
            return index
    return None


def _find_flow(instance: str, reg_id: int, bindings: list[Binding]) -> int | None:
    """The binding of this flow, whatever its Contact was (RFC 5626 §6)."""
    for index, binding in enumerate(bindings):
        if binding.reg_id == reg_id and binding.instance == instance:
            return index
    return None


def _enter_era(instance: str, reg_id: int, call_id: str, before: Sequence[Binding], after: list[Binding]) -> None:
    """Gives all bindings of an instance one era: the one they had, or a new one where a new Call-ID ends all temporary GRUUs.

    These end with the last binding as well, so an era is never had again (RFC 5627 §5.1, §5.3).
    """
    bound = [binding for binding in before if binding.instance == instance]
    same = [binding for binding in bound if binding.reg_id == reg_id]
    latest = max(same, key=lambda binding: binding.refreshed_at, default=None)
    is_over = not bound or (latest is not None and latest.call_id != call_id)
    era = secrets.randbits(_ERA_BITS) if is_over else bound[0].era
    for index, binding in enumerate(after):
        if binding.instance == instance and binding.era != era:
            after[index] = binding.in_era(era)


def _without_its_own_words(params: Params) -> str:
    return render_params({name: value for name, value in params.items() if name not in _ITS_OWN_WORDS})
