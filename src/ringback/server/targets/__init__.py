"""Where requests for users of ours go (RFC 3261 §16.5)."""
