"""How an operator watches and steers a server that runs: JSON-RPC 2.0 over a Unix socket."""

from ringback.server.operation.control.client import ControlError, NoServer, ask
from ringback.server.operation.control.control import Control, socket_path

__all__ = ["Control", "ControlError", "NoServer", "ask", "socket_path"]
