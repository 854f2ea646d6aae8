"""Ringback: the complete SIP platform for Python."""
