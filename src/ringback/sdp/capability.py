"""What a party can do, said outside of any session: in the answer to OPTIONS or beside a 488 (RFC 3264 §9)."""

from ringback.sdp.description import SessionDescription
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV


def indicated(capabilities: SessionDescription, session_id: int) -> SessionDescription:
    """`capabilities`, what we would offer, as a description that sets up nothing: every port 0, no direction, any time.

    `session_id` must be another one each time; the version begins with it.
    """
    description = capabilities.copy()
    description.origin = capabilities.origin._replace(session_id=session_id, version=session_id)
    for letter in "trz":
        description.remove_lines(letter)
    description.add_line("t", "0 0")
    for section in (description, *description.media):
        for direction in (SENDRECV, SENDONLY, RECVONLY, INACTIVE):
            section.remove_attribute(direction)
    for medium in description.media:
        medium.port, medium.port_count = 0, 1
    return description
