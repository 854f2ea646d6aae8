"""Calls: INVITE from both sides and all that may happen in its sessions (RFC 3261 §13 to §15)."""
