"""One description after the other: the same o= line, its version one higher where anything changed (RFC 3264 §8)."""

from ringback.sdp.description import SessionDescription

_MAX_SESSION_ID = 2**63 - 1
_MAX_FIRST_VERSION = 2**62 - 1


def succeeding(former: SessionDescription, description: SessionDescription) -> SessionDescription:
    """`description` as the next one after `former` that this party gives: with its o= line, the version one higher if anything differs."""
    successor = description.copy()
    successor.origin = former.origin
    if successor != former:
        successor.origin = former.origin.next_version()
    return successor


def renewed(former: SessionDescription) -> SessionDescription:
    """The same again, version included: an offer that asks for nothing new, as a re-INVITE that only refreshes the session carries.

    Where `former` was an answer to a peer who holds us it says recvonly, and so would this offer; `resumed` and `held` say what we want
    and give the same description again where that is in force (RFC 6337 §5.3).
    """
    return former.copy()


def beginning_fault(description: SessionDescription) -> str | None:
    """Why a session of ours cannot begin with `description`, or None: its numbers must leave room to count in 63 bits (§5)."""
    origin = description.origin
    if origin.session_id > _MAX_SESSION_ID or origin.version >= _MAX_FIRST_VERSION:
        return "session id or version too large to begin a session with"
    return None


def succession_fault(former: SessionDescription, description: SessionDescription) -> str | None:
    """Why `description` cannot be given to a peer who was given `former` before, or None."""
    if description == former:
        return None
    origin, expected = description.origin, former.origin.next_version()
    if origin._replace(version=expected.version) != expected:
        return "only the version of the o= line may change within a session"
    if origin.version != expected.version:
        return f"the version of what has changed must be {expected.version}, not {origin.version}"
    return None
