"""The location service (RFC 3261 §10, §16.5): bindings in memory, a store behind them."""
