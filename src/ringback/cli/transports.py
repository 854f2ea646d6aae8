"""The transports as a command line names them."""

from ringback.address import DEFAULT_PORTS

TRANSPORTS = [name.lower() for name in DEFAULT_PORTS]
