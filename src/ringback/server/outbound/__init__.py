"""Phones that are reached down the flow they opened, and in no other way (RFC 5626)."""
