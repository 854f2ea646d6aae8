"""What a server can be asked over its control socket: a new method is a function and one line here."""

from ringback.server.operation.control.forwarding import forward, forwarding, unforward
from ringback.server.operation.control.json_rpc import table
from ringback.server.operation.control.registrations import registrations, unregister
from ringback.server.operation.control.steering import drain, log_level, reload, resume
from ringback.server.operation.control.watching import calls, status, transactions
from ringback.server.operation.control.ways import connections, gateways

METHODS = table(
    [
        status,
        registrations,
        unregister,
        forwarding,
        forward,
        unforward,
        calls,
        transactions,
        connections,
        gateways,
        reload,
        drain,
        resume,
        log_level,
    ]
)
