"""Registrations: our bindings at registrars (RFC 3261 §10.2)."""
