"""Digest authentication, both sides of it (RFC 7616, RFC 8760, RFC 3261 §22). Pure."""

from ringback.digest.account import Account
from ringback.digest.algorithm import ALGORITHMS, Algorithm, ha1, user_hash
from ringback.digest.client import Accounts, origin_of, realms_of
from ringback.digest.nonce import Nonces
from ringback.digest.protection import Protection, credentials_of, is_challengeable
from ringback.digest.verdict import Outcome, Verdict

__all__ = [
    "ALGORITHMS",
    "Account",
    "Accounts",
    "Algorithm",
    "Nonces",
    "Outcome",
    "Protection",
    "Verdict",
    "credentials_of",
    "ha1",
    "is_challengeable",
    "origin_of",
    "realms_of",
    "user_hash",
]
