"""What Prometheus reads of a server, when it is asked to be read."""

from ringback.server.metrics.page import MetricsPage

__all__ = ["MetricsPage"]
