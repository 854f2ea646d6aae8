"""What a server is told: the tables of its configuration file as structs, one file each."""

from ringback.server.config.access import AccessConfig
from ringback.server.config.config import IN_MEMORY, Config, default_data_folder
from ringback.server.config.control import ControlConfig
from ringback.server.config.dns import DnsConfig
from ringback.server.config.domain import DomainConfig
from ringback.server.config.drain import DrainConfig
from ringback.server.config.edge import EdgeConfig
from ringback.server.config.fault import ConfigError, shown
from ringback.server.config.gateway import GatewayConfig, TrunkConfig
from ringback.server.config.limits import LimitsConfig
from ringback.server.config.log import LogConfig
from ringback.server.config.metrics import MetricsConfig
from ringback.server.config.nat import NatConfig
from ringback.server.config.proxy import ProxyConfig
from ringback.server.config.registrar import RegistrarConfig
from ringback.server.config.relay import RelayConfig
from ringback.server.config.route import RouteConfig
from ringback.server.config.tls import CertificateConfig, TlsConfig
from ringback.server.config.trace import TraceConfig
from ringback.server.config.transport import TransportConfig
from ringback.server.config.value import domain_name
from ringback.server.config.websocket import WebSocketConfig

__all__ = [
    "IN_MEMORY",
    "AccessConfig",
    "CertificateConfig",
    "Config",
    "ConfigError",
    "ControlConfig",
    "DnsConfig",
    "DomainConfig",
    "DrainConfig",
    "EdgeConfig",
    "GatewayConfig",
    "LimitsConfig",
    "LogConfig",
    "MetricsConfig",
    "NatConfig",
    "ProxyConfig",
    "RegistrarConfig",
    "RelayConfig",
    "RouteConfig",
    "TlsConfig",
    "TraceConfig",
    "TransportConfig",
    "TrunkConfig",
    "WebSocketConfig",
    "default_data_folder",
    "domain_name",
    "shown",
]
