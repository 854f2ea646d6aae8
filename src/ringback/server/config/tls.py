"""`[tls]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta, Struct

from ringback.server.config.fault import ConfigError
from ringback.transport.tls import CertificateFiles, Contexts


class CertificateConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A certificate and its key."""

    certificate: Path
    key: Path | None = None


class TlsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is shown and trusted over TLS (RFC 3261 §26, RFC 5922)."""

    certificate: Annotated[
        Path | None,
        Meta(
            description="The server's certificate in PEM, its issuers after it. It has to name the domain (subjectAltName DNS:example.org "
            "or URI:sip:example.org). Read again on SIGHUP.",
            examples=["/etc/letsencrypt/live/example.org/fullchain.pem"],
        ),
    ] = None
    key: Annotated[
        Path | None,
        Meta(
            description="Its private key, unencrypted, if not in the same file.", examples=["/etc/letsencrypt/live/example.org/privkey.pem"]
        ),
    ] = None
    certificates: Annotated[
        list[CertificateConfig],
        Meta(
            description="More certificates, each a table with a certificate and a key; a client gets the one that names what it asks for "
            "(SNI), else the first of all."
        ),
    ] = msgspec.field(default_factory=list)
    client_certificates: Annotated[
        Literal["none", "optional", "required"],
        Meta(
            description="Whether who connects is asked for a certificate: optional takes those who have none, required sends them away. "
            "One that is shown has to be valid."
        ),
    ] = "none"
    trust: Annotated[
        Path | None,
        Meta(
            description="The roots that peers' certificates must lead to, in PEM. Without it, those of the operating system.",
            examples=["roots.pem"],
        ),
    ] = None
    revoked: Annotated[
        Path | None,
        Meta(description="Revocation lists of the issuers of peers' certificates, in PEM.", examples=["revoked.pem"]),
    ] = None
    verify: Annotated[
        bool,
        Meta(description="Whether servers that we connect to must show a valid certificate of their domain. false trusts anybody."),
    ] = True
    ciphers: Annotated[
        str | None,
        Meta(
            description="The cipher suites of TLS 1.2, as OpenSSL writes lists of them. Without it those with forward secrecy, and the one "
            "that RFC 3261 wants of everybody (AES128-SHA) for phones that know no better.",
            examples=["ECDHE+AESGCM:ECDHE+CHACHA20"],
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.key is not None and self.certificate is None:
            raise ConfigError("names a key but no certificate", "tls.key")

    @property
    def can_accept(self) -> bool:
        """Whether there is a certificate to show."""
        return self.certificate is not None or bool(self.certificates)

    def contexts(self) -> Contexts:
        """The contexts of these files; they are read when TLS is first listened on."""
        first = [] if self.certificate is None else [CertificateFiles(self.certificate, self.key)]
        return Contexts(
            [*first, *(CertificateFiles(one.certificate, one.key) for one in self.certificates)],
            trust=self.trust,
            revoked=self.revoked,
            client_certificates=self.client_certificates,
            verifies=self.verify,
            ciphers=self.ciphers,
        )

    def beside(self, folder: Path, typed: frozenset[str]) -> Self:
        """The same with its paths relative to a folder; those of the keys that were `typed` on a command line are so already."""

        def placed(path: Path | None, key: str = "") -> Path | None:
            return None if path is None else (Path() if key in typed else folder) / path.expanduser()

        return msgspec.structs.replace(
            self,
            **{key: placed(getattr(self, key), key) for key in ("certificate", "key", "trust", "revoked")},
            certificates=[CertificateConfig(certificate=folder / one.certificate, key=placed(one.key)) for one in self.certificates],
        )
