"""`[metrics]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.address import host_port
from ringback.server.config.fault import ConfigError, shown
from ringback.transport.listening import listening_point


class MetricsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Prometheus reads."""

    listen: Annotated[
        str | None,
        Meta(
            description="ADDRESS:PORT where HTTP GET /metrics is answered, and /health for load balancers; none unless named. There is no "
            "password: name an address that only your monitoring reaches.",
            examples=["127.0.0.1:9090"],
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.listen is None:
            return
        try:
            if "//" in self.listen or not self.listen.rpartition(":")[2].isdecimal():
                raise ValueError("must be written ADDRESS:PORT")
            point = listening_point(f"tcp://{self.listen}")
        except ValueError as error:
            reason = f"{shown(self.listen)}: {error}; allowed is such as 127.0.0.1:9090 or [::1]:9090"
            raise ConfigError(reason, "metrics.listen") from None
        force_setattr(self, "listen", host_port(point.host, point.port))
