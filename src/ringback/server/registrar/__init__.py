"""The registrar (RFC 3261 §10.3)."""

from ringback.server.registrar.extensions import EXTENSIONS, not_understood
from ringback.server.registrar.registrar import Registrar

__all__ = ["EXTENSIONS", "Registrar", "not_understood"]
