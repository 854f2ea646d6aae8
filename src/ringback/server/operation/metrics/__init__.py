"""What Prometheus reads of a server, when it is asked to be read."""

from ringback.server.operation.metrics.page import MetricsPage

__all__ = ["MetricsPage"]
