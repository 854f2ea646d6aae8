"""Simulated time and a simulated network, for tests of Ringback and of programs built on it."""

from ringback.testing.loop import HungError, SimulatedTimeLoop, run

__all__ = ["HungError", "SimulatedTimeLoop", "run"]
