"""The public names are pinned: adding or losing one is a decision, not an accident."""

import ringback

PUBLIC = [
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


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(getattr(ringback, "__all__", [])) == sorted(PUBLIC)


def test_every_public_name_is_there_and_documented() -> None:
    missing = [name for name in PUBLIC if not getattr(ringback, name, None)]
    assert missing == []
    undocumented = [name for name in PUBLIC if not name.startswith("_") and not getattr(ringback, name).__doc__]
    assert undocumented == []
