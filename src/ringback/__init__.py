"""Ringback: the complete SIP platform for Python. These are its public names; the rooms below are for those who need more."""

from ringback.agent.call.call import Call
from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.call.info import IncomingInfo
from ringback.agent.call.outgoing_call import OutgoingCall
from ringback.agent.errors import (
    AuthenticationFailed,
    CallEnded,
    CallFailed,
    CallRejected,
    CallTimedOut,
    Refused,
    RequestFailed,
    RequestRejected,
    RequestTimedOut,
    TransferFailed,
    Unreachable,
)
from ringback.agent.event.event_package import EventPackage
from ringback.agent.event.incoming_subscription import IncomingSubscription
from ringback.agent.event.notification import Notification
from ringback.agent.event.notifier import Notifier
from ringback.agent.event.publication import Publication
from ringback.agent.event.subscription import Subscription
from ringback.agent.instant_message import IncomingMessage
from ringback.agent.service import IncomingRequest, Reply
from ringback.agent.transfer.referral import Referral
from ringback.agent.user_agent import UserAgent
from ringback.message.errors import SipParseError
from ringback.message.headers import Headers
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, StreamParser, parse_datagram
from ringback.message.uri import AnyUri, SipUri, TelUri, parse_uri
from ringback.server.proxy.routing import Forward, Gateway, Location, Redirect, Reject, first

__all__ = [
    "AnyUri",
    "AuthenticationFailed",
    "Call",
    "CallEnded",
    "CallFailed",
    "CallRejected",
    "CallTimedOut",
    "EventPackage",
    "Forward",
    "Gateway",
    "Headers",
    "IncomingCall",
    "IncomingInfo",
    "IncomingMessage",
    "IncomingRequest",
    "IncomingSubscription",
    "Location",
    "Malformed",
    "Notification",
    "Notifier",
    "OutgoingCall",
    "Publication",
    "Redirect",
    "Referral",
    "Refused",
    "Reject",
    "Reply",
    "Request",
    "RequestFailed",
    "RequestRejected",
    "RequestTimedOut",
    "Response",
    "SipParseError",
    "SipUri",
    "StreamParser",
    "Subscription",
    "TelUri",
    "TransferFailed",
    "Unreachable",
    "UserAgent",
    "first",
    "parse_datagram",
    "parse_uri",
]
