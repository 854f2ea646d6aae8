"""A certificate authority for tests: certificates as good and as bad as wanted, and their files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ringback.transport.tls import CertificateFiles

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_YEAR = timedelta(days=365)


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One RSA key for all tests: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def alternative(text: str) -> x509.GeneralName:
    """`DNS:…`, `URI:…`, `IP:…` or `email:…` as a name of a subjectAltName."""
    kind, _, value = text.partition(":")
    match kind:
        case "DNS":
            return x509.DNSName(value)
        case "URI":
            return x509.UniformResourceIdentifier(value)
        case "IP":
            return x509.IPAddress(ip_address(value))
        case _:
            return x509.RFC822Name(value)


class Authority:
    """A root, and what it signs."""

    def __init__(self, folder: Path, name: str = "Test root", above: Authority | None = None, *, is_authority: bool = True) -> None:
        """`above` makes it an intermediate authority, one that is none where `is_authority` is False."""
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.above = above
        issuer = self if above is None else above
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _YEAR)
            .not_valid_after(now + _YEAR)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(issuer.key, hashes.SHA256())
        )
        self.file = self._write(f"{name}.pem", self._pem())

    def _pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, octets: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(octets)
        return path

    def certificate_for(
        self,
        *names: str,
        common_name: str | None = None,
        days: float = 90,
        since: float = -30,
        usage: Iterable[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
        key: Key | None = None,
        is_self_signed: bool = False,
    ) -> x509.Certificate:
        """A certificate with these alternative names, valid from `since` to `days`, in days from now."""
        holder: Key = key or self.holder_key
        subject = x509.Name([] if common_name is None else [x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if is_self_signed else self.name)
            .public_key(holder.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=since))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=common_name is None)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
        return builder.sign(holder if is_self_signed else self.key, hashes.SHA256())

    @property
    def holder_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that every certificate is for, unless it has one of its own."""
        return _holder_key()

    def issue(self, *names: str, file: str = "", key: Key | None = None, **how: object) -> CertificateFiles:
        """The files of such a certificate: itself with its issuers, and its key."""
        certificate = self.certificate_for(*names, key=key, **how)  # type: ignore[arg-type]  # passed through as it comes
        chain = certificate.public_bytes(serialization.Encoding.PEM)
        issuer = self
        while issuer.above is not None:
            chain += issuer._pem()
            issuer = issuer.above
        file = file or f"{certificate.serial_number:x}"
        return CertificateFiles(self._write(f"{file}.pem", chain), self._write(f"{file}.key", pem_of(key or self.holder_key)))

    def revoke(self, *certificates: x509.Certificate) -> Path:
        """The file of a revocation list."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(now).next_update(now + _YEAR)
        for certificate in certificates:
            revoked = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now).build()
            builder = builder.add_revoked_certificate(revoked)
        return self._write("revoked.pem", builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


@cache
def _holder_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem_of(key: Key, password: bytes | None = None) -> bytes:
    """A key in PEM, encrypted where there is a password."""
    encryption = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
