"""Who is who: every process of a run has a name and one Ed25519 key, and the roster says which key is whose.

TLS tells the members of a run from everyone else; which member speaks is told by the signature on what it says.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count, groupby, pairwise
from pathlib import Path

import msgspec
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from holdfast.errors import InputError, nearest
from holdfast.experiment import _Loader
from holdfast.record.files import write_atomically

__all__ = ["COORDINATOR", "ROSTER", "Entry", "Identity", "Roster", "make_keys", "parse_rows", "show_rows", "verify"]

COORDINATOR = "coordinator"
"""The name that is reserved for the coordinator."""
ROSTER = "roster.yaml"
"""The file in the folder of all keys that says which key is whose."""

_AUTHORITY_KEY, _AUTHORITY, _KEY, _CERTIFICATE, _BELIEVED = "ca.key", "ca.crt", "key.pem", "cert.pem", "coordinator.key"
_RESERVED = (COORDINATOR, ".", "..", _AUTHORITY_KEY, _AUTHORITY, ROSTER)  # a node's name is a folder beside these
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PUBLIC = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_ROWS = re.compile(r"([0-9]{1,7})(?:-([0-9]{1,7}))?")
_DOMAIN = b"holdfast manifest 1\0"
_HERE = ("localhost", "127.0.0.1", "::1")
_SKEW = timedelta(days=1)  # by how much a machine's clock may be late when its certificate is new
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280: no expiry that is well defined
_DAMAGE = (ValueError, TypeError, IndexError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion)


@dataclass(frozen=True)
class Identity:
    """Who a process is: its name and its key, which signs its manifests and is the key of its TLS certificate.

    Args:
        name: the name in the roster, or ``coordinator``.
        key: the private key.
        folder: where its certificates are; None for a key that lives in memory only, without TLS.

    Example:
        >>> alice = Identity.fresh("alice")
        >>> verify(alice.public, b"a statement", alice.sign(b"a statement"))
        True
    """

    name: str
    key: Ed25519PrivateKey = field(repr=False)
    folder: Path | None = None

    @classmethod
    def fresh(cls, name: str) -> Identity:
        """A new key that lives in memory only."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, folder: Path) -> Identity:
        """The identity in one of the folders that `make_keys` wrote; its name is the certificate's common name.

        Raises:
            InputError: files are missing, damaged or do not belong together, or the certificate is not valid now.
        """
        folder = Path(folder).resolve()
        authority, certificate = _certificate(folder / _AUTHORITY), _certificate(folder / _CERTIFICATE)
        key = _private_key(folder / _KEY)
        _check_issued(folder, certificate, authority)
        _check_pair(folder / _KEY, key, certificate)
        _check_clock(folder / _CERTIFICATE, certificate)
        identity = cls(_common_name(folder / _CERTIFICATE, certificate), key, folder)
        _ = identity.coordinator  # a node that does not know whom to believe is told so now
        return identity

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return _hex(self.key)

    @property
    def coordinator(self) -> str | None:
        """The public key of the coordinator that a node is to believe; None for the coordinator, or without a folder.

        Raises:
            InputError: the node's folder does not say it.
        """
        if self.folder is None or self.name == COORDINATOR:
            return None
        path = self.folder / _BELIEVED
        believed = _bytes(path).decode(errors="replace").strip()
        _check_public(str(path), believed)
        return believed

    def sign(self, statement: bytes) -> bytes:
        """The 64 bytes of a signature, which holds for manifests of Holdfast and for nothing else."""
        return self.key.sign(_DOMAIN + statement)

    def tls(self) -> dict[str, object]:
        """The value of zenoh's configuration key ``transport/link/tls``, with certificates on both sides.

        Raises:
            InputError: the key lives in memory only.
        """
        if self.folder is None:
            remedy = "Make keys and certificates with `holdfast keys`."
            raise InputError("tls", "have a folder with certificates", f"{self.name}'s key, in memory only", remedy)
        own = {_KEY: "private_key", _CERTIFICATE: "certificate"}
        files = {f"{side}_{use}": str(self.folder / file) for side in ("listen", "connect") for file, use in own.items()}
        checks = {"enable_mtls": True, "verify_name_on_connect": True}
        return {"root_ca_certificate": str(self.folder / _AUTHORITY), **files, **checks}


def verify(public: str, statement: bytes, signature: bytes) -> bool:
    """Whether the key's owner signed the statement; whatever else is given is False and never an exception.

    Args:
        public: the public key, 64 hexadecimal digits.
        statement: the bytes that were signed.
        signature: the signature.

    Example:
        >>> verify("not a key", b"a statement", b"not a signature")
        False
    """
    try:
        if not _PUBLIC.fullmatch(public):
            return False
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, _DOMAIN + statement)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def parse_rows(text: str) -> tuple[int, ...]:
    """The rows, in order, that a text such as ``0-99,120`` names: at most 10 000 000, counted from 0.

    Raises:
        InputError: it is no such text, or it names a row twice.

    Example:
        >>> parse_rows("120,0-3")
        (0, 1, 2, 3, 120)
    """
    remedy = 'Write rows: "0-99,120", say.'
    found = [_ROWS.fullmatch(part.strip()) for part in text.split(",")]
    ranges = sorted((int(part[1]), int(part[2] or part[1])) for part in found if part)
    if len(ranges) < len(found) or any(first > last for first, last in ranges):
        raise InputError("rows", "be numbers below 10000000 and rising ranges, split by commas", text, remedy)
    for (_, last), (first, _) in pairwise(ranges):
        if first <= last:
            raise InputError("rows", f"name each row once, also row {first}", text, remedy)
    return tuple(row for first, last in ranges for row in range(first, last + 1))


def show_rows(rows: Iterable[int]) -> str:
    """The shortest text that names the rows.

    Example:
        >>> show_rows([120, *range(100)])
        '0-99,120'
    """
    runs = groupby(enumerate(sorted(rows)), key=lambda pair: pair[1] - pair[0])
    spans = [[row for _, row in run] for _, run in runs]
    return ",".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else f"{span[0]}" for span in spans)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the roster knows of a node.

    Args:
        key: its public key, 64 hexadecimal digits.
        rows: the rows that it hosts, such as ``0-99,120``.
    """

    key: str
    rows: str | None = None


class Roster(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The members of a run: whose key is which, and who hosts which rows.

    Args:
        coordinator: the coordinator's public key, 64 hexadecimal digits.
        nodes: the nodes by name.

    Raises:
        InputError: a name or a key is malformed, a key is given twice, or rows overlap.

    Example:
        >>> roster = Roster("0" * 64, {"alice": Entry("1" * 64), "bob": Entry("2" * 64, rows="0-2")})
        >>> roster.rows_of("alice")
        (3,)
    """

    coordinator: str
    nodes: dict[str, Entry]

    def __post_init__(self) -> None:
        """Refuse what cannot be a roster."""
        owners: dict[str, str] = {}
        for name, public in [("", self.coordinator), *((name, entry.key) for name, entry in self.nodes.items())]:
            where = f"nodes.{name}.key" if name else COORDINATOR
            if name:
                _check_name("nodes", name)
            _check_public(where, public)
            if public in owners:
                remedy = "Make a key for each process with `holdfast keys`."
                raise InputError(where, f"differ from {owners[public]}", public, remedy)
            owners[public] = where
        _ = self._stated  # reads the rows, and refuses those that overlap

    @classmethod
    def load(cls, path: str | Path) -> Roster:
        """The roster in a file.

        Raises:
            InputError: it cannot be read, or it is no roster.
        """
        remedy = f"`holdfast keys` writes a {ROSTER}; in one written by hand, quote what looks like a number."
        try:
            return msgspec.convert(yaml.load(_bytes(Path(path)), Loader=_Loader), cls)
        except (yaml.YAMLError, ValueError) as error:
            given = " ".join(str(error).split())
            raise InputError(str(path), "be a roster: coordinator, and nodes with key and rows", given, remedy) from error
        except InputError as error:
            where = error.field if error.field == str(path) else f"{path}: {error.field}"
            raise InputError(where, error.required, error.given, error.remedy) from error

    def save(self, path: str | Path) -> None:
        """Write the roster to a file, whole or not at all."""
        write_atomically(Path(path), yaml.safe_dump(msgspec.to_builtins(self), sort_keys=False))

    def rows_of(self, name: str) -> tuple[int, ...]:
        """The rows that a node hosts: those stated, else one, the lowest left over, in the order of the roster.

        Raises:
            InputError: the node is not in the roster.
        """
        if name not in self.nodes:
            raise InputError("node", "be in the roster", name, nearest(name, self.nodes))
        if name in self._stated:
            return self._stated[name]
        taken = {row for rows in self._stated.values() for row in rows}
        left_over = (row for row in count() if row not in taken)
        places = (other for other in self.nodes if other not in self._stated)
        return next((row,) for other, row in zip(places, left_over, strict=False) if other == name)

    @cached_property
    def _stated(self) -> dict[str, tuple[int, ...]]:
        stated, owners = {}, dict[int, str]()
        for name, entry in self.nodes.items():
            if entry.rows is None:
                continue
            try:
                stated[name] = parse_rows(entry.rows)
            except InputError as error:
                raise error.within(f"nodes.{name}") from error
            twice = [row for row in stated[name] if row in owners]
            if twice:
                required = f"leave out row {twice[0]}, which {owners[twice[0]]} hosts"
                raise InputError(f"nodes.{name}.rows", required, entry.rows, "Give each row to one node.")
            owners |= dict.fromkeys(stated[name], name)
        return stated


def make_keys(
    folder: Path,
    nodes: Sequence[str],
    hosts: Sequence[str] = ("localhost", "127.0.0.1"),
    rows: Mapping[str, str] = {},  # noqa: B006 (read only)
    days: int = 825,
) -> Roster:
    """Make keys and certificates for the coordinator and some nodes, or add nodes to a folder that has them.

    The folder gets a private certificate authority (``ca.key``, ``ca.crt``), ``roster.yaml``, and a folder for each
    member, which is all that the member needs. A certificate holds for the member's name, for this machine
    (localhost, 127.0.0.1, ::1) and for all of ``hosts``, since peers dial each other too. What is there already is kept.

    Args:
        folder: where to put them; made if it is not there.
        nodes: names of the nodes to add.
        hosts: names or IP addresses under which the new members are dialled.
        rows: by node, the rows that it hosts, such as ``0-99``.
        days: for how long the new certificates are valid.

    Returns:
        The roster with all nodes.

    Raises:
        InputError: a name is taken or malformed, or something else is wrong; then nothing was written.
    """
    folder = Path(folder)
    _check_terms(hosts, days)
    first = not (folder / ROSTER).exists()
    authority = _Authority.fresh() if first else _Authority.load(folder)
    members = [Identity.fresh(name) for name in ([COORDINATOR, *nodes] if first else nodes)]
    before = Roster(members[0].public, {}) if first else Roster.load(folder / ROSTER)
    files = dict(authority.files()) if first else {}
    _check_new(folder, before, nodes, rows, {*files, *(member.name for member in members)})
    added = {member.name: Entry(member.public, rows.get(member.name)) for member in members if member.name in nodes}
    roster = Roster(before.coordinator, before.nodes | added)
    for member in members:
        files |= {f"{member.name}/{file}": content for file, content in authority.member(member, hosts, days)}
        if member.name != COORDINATOR:
            files[f"{member.name}/{_BELIEVED}"] = f"{roster.coordinator}\n".encode()
    _write(folder, files, roster)
    return roster


@dataclass(frozen=True)
class _Authority:
    """A private certificate authority."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate

    @classmethod
    def fresh(cls) -> _Authority:
        key, name = Ed25519PrivateKey.generate(), _subject("holdfast " + os.urandom(4).hex())
        started = _builder(name, key.public_key(), _NEVER).issuer_name(name)
        usage = _usage(key_cert_sign=True, crl_sign=True)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        return cls(key, started.add_extension(constraints, True).add_extension(usage, True).sign(key, None))

    @classmethod
    def load(cls, folder: Path) -> _Authority:
        key, certificate = _private_key(folder / _AUTHORITY_KEY), _certificate(folder / _AUTHORITY)
        _check_pair(folder / _AUTHORITY_KEY, key, certificate)
        return cls(key, certificate)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The files of the authority itself."""
        yield _AUTHORITY_KEY, _private_pem(self.key)
        yield _AUTHORITY, self.certificate.public_bytes(Encoding.PEM)

    def member(self, who: Identity, hosts: Sequence[str], days: int) -> Iterator[tuple[str, bytes]]:
        """The files of a member: its key, its certificate for both ends of a link, and whom it trusts."""
        builder = _builder(_subject(who.name), who.key.public_key(), _now() + timedelta(days=days))
        names = [_alternative(name) for name in dict.fromkeys((who.name, *_HERE, *hosts))]
        both_ends = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.issuer_name(self.certificate.subject).add_extension(both_ends, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(digital_signature=True), critical=True)
        yield _KEY, _private_pem(who.key)
        yield _CERTIFICATE, builder.sign(self.key, None).public_bytes(Encoding.PEM)
        yield _AUTHORITY, self.certificate.public_bytes(Encoding.PEM)


