"""Events: subscriptions from both sides, and publications (RFC 6665, RFC 3903)."""
