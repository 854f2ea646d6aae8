"""What is shown over TLS and whom it is believed: certificates by name, roots, versions (RFC 3261 §26.2.1, RFC 6066 §3)."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from ringback.transport.tls.identity import canonical, identities_of
from ringback.transport.tls.x509 import Certificate

ClientCertificates = Literal["none", "optional", "required"]

_DEMANDED = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

# Those with forward secrecy (RFC 9325 §4.2), and last the one that RFC 3261 §26.2.1 has everybody speak: TLS_RSA_WITH_AES_128_CBC_SHA.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:AES128-SHA"


class TlsError(Exception):
    """Certificates, keys or roots that cannot be used; the text names the file and says why."""


class CertificateFiles(NamedTuple):
    """A certificate in PEM, those of its issuers after it, and its key: in a file of its own or in the same one."""

    certificate: Path
    key: Path | None = None


class Shown(NamedTuple):
    """A certificate of ours that is in use."""

    files: CertificateFiles
    certificate: Certificate
    context: ssl.SSLContext

    @property
    def names(self) -> list[str]:
        """The names that a peer may ask for it by (RFC 6066 §3), in lower case; a wildcard as it stands."""
        certificate = self.certificate
        names = [*certificate.dns_names, *(uri.partition(":")[2].partition(";")[0] for uri in certificate.uris if "@" not in uri)]
        if not names and certificate.common_name is not None:
            names = [certificate.common_name]
        return [canonical(name) for name in (*names, *certificate.addresses)]


class Contexts:
    """The TLS contexts of one element: one for connections it opens, one for each certificate it shows to who connects.

    `certificates`: the first is shown where a peer names none of them; it is also what we show of ourselves where a server asks for a
    client certificate. Without any, nothing can be accepted. `trust`: the file with the roots that peers' certificates must lead to; those
    of the operating system where there is none. `revoked`: a file with the revocation lists of the issuers of peers' certificates.
    `client_certificates`: whether who connects is asked for one, and sent away without; one that is shown must be valid.
    `verifies` False believes every server, whoever it is. `ciphers`, an OpenSSL cipher list, is for TLS 1.2 alone.

    Nothing is read before `load`, which whoever first needs a context calls.
    """

    def __init__(
        self,
        certificates: Sequence[CertificateFiles] = (),
        *,
        trust: Path | None = None,
        revoked: Path | None = None,
        client_certificates: ClientCertificates = "none",
        verifies: bool = True,
        ciphers: str | None = None,
    ) -> None:
        self._files = tuple(certificates)
        self._trust = trust
        self._revoked = revoked
        self._demanded = _DEMANDED[client_certificates]
        self._ciphers = ciphers
        self.verifies = verifies
        self.shown: list[Shown] = []
        self.accepting: ssl.SSLContext | None = None
        """For connections that come in; None where no certificate is there to show."""
        self.dialing: ssl.SSLContext
        """For connections that we open."""
        self.is_loaded = False

    @property
    def has_files(self) -> bool:
        """Whether there is anything to be read, and to be wrong, beside what the operating system has."""
        return bool(self._files or self._trust or self._revoked or self._ciphers)

    def load(self) -> None:
        """Reads all files, perhaps again, for connections to come; where one is no good, `TlsError`, and everything stays as it was."""
        shown = [self._show(files) for files in self._files]
        dialing = self._context(ssl.PROTOCOL_TLS_CLIENT, ssl.CERT_REQUIRED if self.verifies else ssl.CERT_NONE)
        if self._files:
            _load(dialing, self._files[0])
        by_name = {name: one.context for one in reversed(shown) for name in one.names}

        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            context = by_name.get(canonical(name or "")) or by_name.get("*." + canonical(name or "").partition(".")[2])
            if context is not None:
                tls.context = context

        self.accepting = shown[0].context if shown else None
        if self.accepting is not None:
            self.accepting.sni_callback = choose
        self.shown = shown
        self.dialing = dialing
        self.is_loaded = True

    def become(self, other: Contexts) -> None:
        """Shows and trusts from now on what the other does; whoever holds this one need not hear of it."""
        vars(self).update(vars(other))

    def names(self, domain: str) -> bool:
        """Whether one of the certificates that we show is for this domain (RFC 5922 §7.2)."""
        return any(identities_of(one.certificate).covers(domain) for one in self.shown)

    def expiring(self, until: datetime) -> list[str]:
        """A line for each certificate of ours that is no longer valid at this time."""
        return [
            f"certificate {one.files.certificate}: valid until {one.certificate.not_after:%Y-%m-%d %H:%M} UTC only"
            for one in self.shown
            if one.certificate.not_after <= until
        ]

    def _show(self, files: CertificateFiles) -> Shown:
        context = self._context(ssl.PROTOCOL_TLS_SERVER, self._demanded)
        # Connections last for hours: what a ticket would save is not worth its keys, and a client certificate is looked at each time.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        _load(context, files)
        try:
            return Shown(files, Certificate.from_pem(files.certificate.read_text("ascii", "replace")), context)
        except ValueError as error:
            raise TlsError(f"{files.certificate}: {error}") from None

    def _context(self, protocol: int, demanded: ssl.VerifyMode) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.check_hostname = False  # the rules of RFC 5922, which we apply ourselves, are others than those of the web
        context.verify_mode = demanded
        # RFC 8996: TLS 1.0 and 1.1 are no longer to be spoken. Nobody renegotiates: it was only ever a way to wear a server down.
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            context.set_ciphers(self._ciphers or _CIPHERS)
        except ssl.SSLError:
            raise TlsError(f"ciphers: OpenSSL knows none of {self._ciphers!r}") from None
        if demanded == ssl.CERT_NONE:
            return context
        if self._trust is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            _believe(context, self._trust)
        if self._revoked is not None:
            _believe(context, self._revoked)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        return context


def _believe(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except ssl.SSLError:
        raise TlsError(f"{file}: holds no certificate in PEM") from None
    except OSError as error:
        raise TlsError(f"{file}: cannot be read: {error.strerror}") from None


def _load(context: ssl.SSLContext, files: CertificateFiles) -> None:
    def no_password() -> str:
        raise TlsError(f"{files.key or files.certificate}: the key is encrypted; decrypt it (openssl pkey -in FILE -out NEW)")

    for file in (files.certificate, files.key or files.certificate):
        try:
            file.open("rb").close()
        except OSError as error:
            raise TlsError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        context.load_cert_chain(files.certificate, files.key, no_password)
    except ssl.SSLError as error:
        raise TlsError(_fault(error, files)) from None


def _fault(error: ssl.SSLError, files: CertificateFiles) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{files.key or files.certificate}: the key is not that of the certificate in {files.certificate}"
    try:
        Certificate.from_pem(files.certificate.read_text("ascii", "replace"))
    except ValueError as fault:
        return f"{files.certificate}: {fault}"
    if files.key is None:
        return f"{files.certificate}: holds no private key; name its file as key"
    return f"{files.key}: holds no private key in PEM that could be used" + (f" ({error.reason})" if error.reason else "")
