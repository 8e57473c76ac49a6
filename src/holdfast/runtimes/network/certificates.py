"""The private certificate authority of a run, and the files with keys and certificates of its members."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from holdfast.errors import InputError

__all__ = ["AUTHORITY", "AUTHORITY_KEY", "CERTIFICATE", "KEY", "Authority", "check_terms", "read", "read_member"]

AUTHORITY_KEY, AUTHORITY, KEY, CERTIFICATE = "ca.key", "ca.crt", "key.pem", "cert.pem"

_HOST = re.compile(r"(?=.{1,253}\Z)(?!(.*\.)?[0-9]+\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_HERE = ("localhost", "127.0.0.1", "::1")
_SKEW = timedelta(days=1)  # by how much a member's clock may be late when its certificate is new
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280: without a well-defined end
_DAMAGE = (ValueError, TypeError, IndexError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion)
_REMEDY = "Make keys with `holdfast keys`, and give each process its own folder, whole."


@dataclass(frozen=True)
class Authority:
    """Who vouches for the members of a run: a key, and a certificate that does not expire.

    Args:
        key: the private key.
        certificate: the certificate that all members trust.
    """

    key: Ed25519PrivateKey = field(repr=False)
    certificate: x509.Certificate

    @classmethod
    def fresh(cls) -> Authority:
        """A new authority, whose name no other has."""
        key, name = Ed25519PrivateKey.generate(), _named(f"holdfast {os.urandom(4).hex()}")
        builder = _builder(name, name, key.public_key(), _NEVER)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(key, builder.sign(key, None))

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """The authority in a folder.

        Raises:
            InputError: its files are missing, damaged or do not belong together.
        """
        return cls(*_pair(folder / AUTHORITY_KEY, folder / AUTHORITY))

    def files(self) -> dict[str, bytes]:
        """The content of its files by name."""
        return {AUTHORITY_KEY: _private(self.key), AUTHORITY: self.certificate.public_bytes(Encoding.PEM)}

    def member(self, name: str, key: Ed25519PrivateKey, hosts: Sequence[str], days: int) -> dict[str, bytes]:
        """The content of a member's files by name: its key, its certificate for both ends of a link, whom it trusts."""
        builder = _builder(_named(name), self.certificate.subject, key.public_key(), _now() + timedelta(days=days))
        names = [_alternative(host) for host in dict.fromkeys((name, *_HERE, *hosts))]
        both_ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(both_ends), critical=False)
        certificate = builder.sign(self.key, None).public_bytes(Encoding.PEM)
        return {KEY: _private(key), CERTIFICATE: certificate, AUTHORITY: self.certificate.public_bytes(Encoding.PEM)}


def check_terms(hosts: Sequence[str], days: int) -> None:
    """Refuse hosts and days that no certificate can state.

    Raises:
        InputError: a host is neither a name nor an IP address, or the days are too few or too many.
    """
    for host in hosts:
        if isinstance(_alternative(host), x509.DNSName) and not _HOST.fullmatch(host):
            remedy = "Write --host coord.example.org, say."
            raise InputError("hosts", "be host names or IP addresses, without ports", host, remedy)
    if not 1 <= days <= 36500:
        raise InputError("days", "be from 1 to 36500", days, "Leave it out for 825 days.")


def read(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), "be a readable file", error.strerror, _REMEDY) from error


def read_member(folder: Path) -> tuple[str, Ed25519PrivateKey]:
    """The name and the key of the member whose folder it is.

    Raises:
        InputError: files are missing, damaged or do not belong together, or the certificate is not valid now.
    """
    path, authority = folder / CERTIFICATE, _certificate(folder / AUTHORITY)
    key, certificate = _pair(folder / KEY, path)
    try:
        certificate.verify_directly_issued_by(authority)
        name = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    except _DAMAGE as error:
        raise InputError(str(path), f"be issued by the authority of {AUTHORITY}", _said(error), _REMEDY) from error
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not start <= _now() <= end:
        remedy = "Check the clock of this machine; if it is right, make new keys with `holdfast keys`."
        raise InputError(
            str(path), f"be valid at {_now():%Y-%m-%d %H:%M} UTC", f"{start:%Y-%m-%d} to {end:%Y-%m-%d}", remedy
        )
    return name, key


def _pair(key_path: Path, certificate_path: Path) -> tuple[Ed25519PrivateKey, x509.Certificate]:
    certificate = _certificate(certificate_path)
    try:
        key = load_pem_private_key(read(key_path), password=None)
    except _DAMAGE as error:
        raise InputError(str(key_path), "hold an undamaged private key", _said(error), _REMEDY) from error
    if not isinstance(key, Ed25519PrivateKey) or key.public_key() != certificate.public_key():
        raise InputError(str(key_path), f"be the key of {certificate_path.name}", "another key", _REMEDY)
    return key, certificate


def _certificate(path: Path) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(read(path))
        certificate.public_key()  # which is read only now
    except _DAMAGE as error:
        raise InputError(str(path), "hold an undamaged certificate", _said(error), _REMEDY) from error
    return certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, public: Ed25519PublicKey, until: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(_now() - _SKEW).not_valid_after(until)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _now() -> datetime:
    return datetime.now(UTC)
