"""The proxy (RFC 3261 §16) and the values that say where a request shall go."""

from ringback.server.proxy.routing import Forward, Gateway, Location, Redirect, Reject, first

__all__ = ["Forward", "Gateway", "Location", "Redirect", "Reject", "first"]
