"""Whether signs of life are wanted from whoever stands next to us on the way to a phone: the `keep` of its Via (RFC 6223)."""

from __future__ import annotations

from ringback.message.message import Response

# Seconds recommended between two of them: what RFC 5626 §4.4 has clients choose by themselves, below the 30 s after which many NATs forget
# a datagram's way, and the two minutes after which a dead connection should be known.
_DATAGRAM_PAUSE = 30
_STREAM_PAUSE = 120


def grant_keep(response: Response, *, is_stream: bool) -> None:
    """Says how often, in the answer to a REGISTER whose topmost Via offers it (§4.4); others stay as they are."""
    headers = response.headers
    line = headers.line("via")
    if line is None or "keep" not in line:
        return
    via = response.via
    if "keep" in via.params and via.params["keep"] is None:
        via.params["keep"] = str(_STREAM_PAUSE if is_stream else _DATAGRAM_PAUSE)
        headers.replace_first("Via", str(via))
