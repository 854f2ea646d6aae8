"""What still answers an INVITE whose call is over: 2xx responses until its transaction ends (RFC 3261 §13.2.2.4, RFC 6026 §7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.agent.call.acknowledgement import Acknowledgement
from ringback.dialog.dialog import Dialog
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.transaction.events import Event, ResponseReceived

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

# A choice, as for early dialogs: as many as branches an INVITE has by default (RFC 5393 §5.3.3).
_MOST = 60


class LateAnswers:
    """The user of an INVITE's transaction after its call: all of the call that is kept for the 32 s that the transaction lives on.

    Who answers again gets its ACK again; who answers now is acknowledged and hung up on.
    """

    __slots__ = ("_acknowledgements", "_core")

    def __init__(self, core: AgentCore, acknowledgements: dict[str | None, Acknowledgement]) -> None:
        """`acknowledgements` are the ACKs that were sent, by the tag of the party."""
        self._core = core
        self._acknowledgements = acknowledgements

    def receive(self, event: Event, now: float) -> None:
        """Takes what the transaction still says."""
        if not isinstance(event, ResponseReceived) or not event.response.is_success:
            return
        try:
            tag = event.response.to_tag
            known = self._acknowledgements.get(tag)
            if known is not None:
                known.send()
            elif len(self._acknowledgements) < _MOST:
                self._acknowledgements[tag] = self._hang_up(event.response)
        except SipParseError:
            # Without a Contact there is nowhere to send an ACK or a BYE.
            return

    def _hang_up(self, response: Response) -> Acknowledgement:
        """Acknowledges one more party and sends BYE.

        Departs from RFC 3261 §13.2.2.4: an offer in its 2xx is not answered, since what would be agreed upon ends at once.
        """
        core = self._core
        sent = parse_datagram(next(iter(self._acknowledgements.values())).octets)
        assert isinstance(sent, Request), "it is an ACK of ours"
        # An ACK has the From, Call-ID and number of its INVITE: all that a dialog takes from there.
        dialog = Dialog.of_client(sent, response)
        ack = dialog.ack(sent.cseq.number)
        ack.headers.carry(sent.headers, "authorization", "proxy-authorization")
        acknowledgement = Acknowledgement(core, ack, dialog.next_hop)
        core.spawn(core.ask(dialog.request("BYE"), dialog=dialog))
        return acknowledgement
