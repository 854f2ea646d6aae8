"""The registrar (RFC 3261 §10.3)."""

from ringback.server.registrar.registrar import Registrar

__all__ = ["Registrar"]
