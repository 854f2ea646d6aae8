"""Simulated time and a simulated network, for tests of Ringback and of programs built on it."""

from ringback.testing.loop import HungError, SimulatedTimeLoop, run
from ringback.testing.names import Names
from ringback.testing.nat import Nat
from ringback.testing.network import Network, Passed
from ringback.testing.stage import AgentFactory, ServerFactory, Stage
from ringback.transport.resolver.records import Naptr, Srv

__all__ = [
    "AgentFactory",
    "HungError",
    "Names",
    "Naptr",
    "Nat",
    "Network",
    "Passed",
    "ServerFactory",
    "SimulatedTimeLoop",
    "Srv",
    "Stage",
    "run",
]
