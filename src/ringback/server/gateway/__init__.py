"""Gateways: groups of trunks that requests are forwarded to by name, and how each of them fares (RFC 3261 §16.5)."""

from ringback.server.gateway.gateways import Gateways

__all__ = ["Gateways"]
