"""Digest authentication, both sides of it (RFC 7616, RFC 8760, RFC 3261 §22). Pure."""

from ringback.digest.account import Account
from ringback.digest.algorithm import ALGORITHMS, Algorithm, ha1
from ringback.digest.client import Accounts, origin_of, realms_of

__all__ = ["ALGORITHMS", "Account", "Accounts", "Algorithm", "ha1", "origin_of", "realms_of"]
