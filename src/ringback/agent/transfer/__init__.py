"""Sending somebody to somebody else: REFER from both sides, and the transfers made of it (RFC 3515, RFC 5589)."""
