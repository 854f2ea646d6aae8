"""Dialogs: who talks with whom (RFC 3261 §12). Pure."""
