"""Bodies that cannot be used, and what is said of them (RFC 3261 §8.2.3, §13.3.1.3, §20.43)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.agent.call.negotiation import SDP, UnsupportedBody
from ringback.agent.inspection import Refusal
from ringback.message.errors import SipParseError
from ringback.message.fields.warning import WarningValue
from ringback.sdp.answer import NotAcceptable
from ringback.sdp.errors import SdpError
from ringback.sdp.offer_answer import OfferPending

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

UNUSABLE = (NotAcceptable, SdpError, SipParseError, UnsupportedBody)
"""What may be wrong with the body of a peer's message, or with its Contact."""

# §20.43: 399 is a warning of no special kind.
_MISCELLANEOUS = 399


def refusal_of(error: Exception, core: AgentCore) -> Refusal:
    """The response to a request whose body, or whose Contact, is one of `UNUSABLE`."""
    if isinstance(error, UnsupportedBody):
        return Refusal(415, None, (("Accept", SDP),))
    if isinstance(error, SipParseError):
        return Refusal(400, f"Malformed {error.field or 'body'}: {error.reason}")
    if isinstance(error, OfferPending):
        return Refusal(error.status)
    code, text = (error.warn_code, error.warn_text) if isinstance(error, NotAcceptable) else (_MISCELLANEOUS, str(error))
    return Refusal(488, None, (("Warning", WarningValue(code, core.identity.uri.host, text)),))
