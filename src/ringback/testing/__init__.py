"""Simulated time and a simulated network, for tests of Ringback and of programs built on it."""

from ringback.testing.loop import HungError, SimulatedTimeLoop, run
from ringback.testing.network import Network, Passed

__all__ = ["HungError", "Network", "Passed", "SimulatedTimeLoop", "run"]
