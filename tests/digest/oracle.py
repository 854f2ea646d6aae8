"""Digest computed a second time, from the RFCs' text and hashlib alone: nothing of the code under test is used here."""

import hashlib


def hashed(algorithm: str, data: bytes) -> str:
    name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm.removesuffix("-sess")]
    return hashlib.new(name, data).hexdigest()


def response(
    *,
    user: str,
    realm: str,
    password: str,
    algorithm: str,
    nonce: str,
    method: str,
    uri: str,
    qop: str | None = None,
    nc: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """RFC 7616 §3.4.1 to §3.4.3; RFC 2069 where there is no qop."""
    secret = hashed(algorithm, b":".join([user.encode(), realm.encode(), password.encode()]))
    if algorithm.endswith("-sess"):
        secret = hashed(algorithm, b":".join([secret.encode(), nonce.encode(), cnonce.encode()]))
    a2 = [method.encode(), uri.encode()]
    if qop == "auth-int":
        a2.append(hashed(algorithm, body).encode())
    parts = [nonce] if qop is None else [nonce, nc, cnonce, qop]
    return hashed(algorithm, b":".join([part.encode() for part in (secret, *parts, hashed(algorithm, b":".join(a2)))]))
