"""Who is who: every process of a run has a name and one Ed25519 key, and the roster says which key is whose.

TLS tells the members of a run from everyone else; which member speaks is told by the signature on what it says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, groupby, pairwise
from pathlib import Path

import msgspec
import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from holdfast.errors import InputError, nearest
from holdfast.mapping import Loader
from holdfast.record.files import write_atomically
from holdfast.runtimes.network import certificates

__all__ = ["COORDINATOR", "ROSTER", "Entry", "Identity", "Roster", "make_keys", "parse_rows", "show_rows", "verify"]

COORDINATOR = "coordinator"
"""The coordinator's name, which no node may have."""
ROSTER = "roster.yaml"
"""The file, in the folder of all keys, that says which key is whose."""

_BELIEVED = "coordinator.key"
_RESERVED = (COORDINATOR, ".", "..", ROSTER, certificates.AUTHORITY_KEY, certificates.AUTHORITY)  # a name is a folder
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PUBLIC = re.compile(r"[0-9a-f]{64}")
_ROWS = re.compile(r"([0-9]{1,7})(?:-([0-9]{1,7}))?")
_DOMAIN = b"holdfast manifest 1\0"


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
        identity = cls(*certificates.read_member(folder), folder)
        _ = identity.coordinator  # a node that is not told whom to believe says so now
        return identity

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self.key.public_key().public_bytes_raw().hex()

    @property
    def coordinator(self) -> str | None:
        """The public key of the coordinator that a node is to believe; None of the coordinator, or without a folder.

        Raises:
            InputError: the node's folder does not say it.
        """
        if self.folder is None or self.name == COORDINATOR:
            return None
        path = self.folder / _BELIEVED
        return _public(str(path), certificates.read(path).decode(errors="replace").strip())

    def sign(self, statement: bytes) -> bytes:
        """The 64 bytes of a signature, which holds for manifests of Holdfast and for nothing else."""
        return self.key.sign(_DOMAIN + statement)

    def tls(self) -> dict[str, object]:
        """The value of zenoh's configuration key ``transport/link/tls``: both ends of a link show certificates.

        Raises:
            InputError: the key lives in memory only.
        """
        if self.folder is None:
            remedy = "Make keys and certificates with `holdfast keys`."
            raise InputError("keys", "be a folder with certificates", f"{self.name}'s key in memory", remedy)
        own = {"certificate": certificates.CERTIFICATE, "private_key": certificates.KEY}
        files = {f"{end}_{use}": str(self.folder / file) for end in ("listen", "connect") for use, file in own.items()}
        trusted = {"root_ca_certificate": str(self.folder / certificates.AUTHORITY)}
        return {**trusted, **files, "enable_mtls": True, "verify_name_on_connect": True}


def verify(public: str, statement: bytes, signature: bytes) -> bool:
    """Whether the key's owner signed the statement; whatever else is given is False, and never an exception.

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
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def parse_rows(text: str) -> tuple[int, ...]:
    """The rows, rising, that a text such as ``0-99,120`` names; they are below 10 000 000.

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
        raise InputError("rows", "be numbers below 10000000 and rising ranges, with commas between", text, remedy)
    for (_, last), (first, _) in pairwise(ranges):
        if first <= last:
            raise InputError("rows", f"name each row once, and so row {first}", text, remedy)
    return tuple(row for first, last in ranges for row in range(first, last + 1))


def show_rows(rows: Iterable[int]) -> str:
    """The shortest text that names the rows.

    Example:
        >>> show_rows([120, *range(100)])
        '0-99,120'
    """
    runs = groupby(enumerate(sorted(rows)), key=lambda place: place[1] - place[0])
    spans = [[row for _, row in run] for _, run in runs]
    return ",".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the roster says of a node.

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
        InputError: a name, a key or rows are malformed, a key is given twice, or rows overlap.

    Example:
        >>> roster = Roster("0" * 64, {"alice": Entry("1" * 64), "bob": Entry("2" * 64, rows="0-2")})
        >>> roster.rows_of("alice"), roster.rows_of("bob")
        ((3,), (0, 1, 2))
    """

    coordinator: str
    nodes: dict[str, Entry]

    def __post_init__(self) -> None:
        """Refuse what cannot be a roster."""
        owners = {_public(COORDINATOR, self.coordinator): COORDINATOR}
        for name, entry in self.nodes.items():
            where = f"nodes.{_name(name)}.key"
            if _public(where, entry.key) in owners:
                remedy = "Make a key for each process with `holdfast keys`."
                raise InputError(where, f"differ from the key of {owners[entry.key]}", entry.key, remedy)
            owners[entry.key] = name
        _ = self._stated  # refuses what are no rows, and rows that overlap

    @classmethod
    def load(cls, path: str | Path) -> Roster:
        """The roster in a file.

        Raises:
            InputError: it cannot be read, or it is no roster.
        """
        content = certificates.read(Path(path))
        try:
            return msgspec.convert(yaml.load(content, Loader=Loader), cls)
        except (yaml.YAMLError, ValueError) as error:
            required, given = "map coordinator to a key, and nodes to names with key and rows", str(error)
            remedy = f"`holdfast keys` writes a {ROSTER}; in one by hand, put what looks like a number in quotes."
            raise InputError(str(path), required, " ".join(given.split()), remedy) from error
        except InputError as error:
            raise InputError(f"{path}: {error.field}", error.required, error.given, error.remedy) from error

    def save(self, path: str | Path) -> None:
        """Write the roster to a file, whole or not at all."""
        write_atomically(Path(path), yaml.safe_dump(msgspec.to_builtins(self), sort_keys=False))

    def rows_of(self, name: str) -> tuple[int, ...]:
        """The rows that a node hosts: those stated, or else one, the lowest left over, in the order of the roster.

        Raises:
            InputError: the node is not in the roster.
        """
        if name not in self.nodes:
            raise InputError("node", "be in the roster", name, nearest(name, self.nodes))
        if name in self._stated:
            return self._stated[name]
        taken = {row for rows in self._stated.values() for row in rows}
        left_over = (row for row in count() if row not in taken)
        silent = (other for other in self.nodes if other not in self._stated)
        return next((row,) for other, row in zip(silent, left_over, strict=False) if other == name)

    @cached_property
    def _stated(self) -> dict[str, tuple[int, ...]]:
        stated: dict[str, tuple[int, ...]] = {}
        owners: dict[int, str] = {}
        for name, rows in [(name, entry.rows) for name, entry in self.nodes.items() if entry.rows is not None]:
            try:
                stated[name] = parse_rows(rows)
            except InputError as error:
                raise error.within(f"nodes.{name}") from error
            for row in filter(owners.__contains__, stated[name]):
                required = f"leave out row {row}, which {owners[row]} hosts"
                raise InputError(f"nodes.{name}.rows", required, rows, "Give each row to one node.")
            owners |= dict.fromkeys(stated[name], name)
        return stated


def make_keys(
    folder: Path,
    nodes: Sequence[str],
    hosts: Sequence[str] = ("localhost", "127.0.0.1"),
    rows: Mapping[str, str] = {},
    days: int = 825,
) -> Roster:
    """Make keys and certificates for a coordinator and nodes, or add nodes to a folder that has them.

    The folder gets a private certificate authority (``ca.key``, ``ca.crt``), ``roster.yaml``, and a folder for each
    member, which is all that the member needs. What is there already is kept. A new certificate holds for the
    member's name, for its own machine (localhost, 127.0.0.1, ::1) and, because peers dial each other too, for all of
    ``hosts``: TLS keeps strangers out, and which member speaks is told by its signature.

    Args:
        folder: where to put them; made if it is not there.
        nodes: names of the nodes to add.
        hosts: names or IP addresses at which the new members will be dialled.
        rows: by name of a new node, the rows that it hosts, such as ``0-99``.
        days: for how long the new certificates are valid.

    Returns:
        The roster with all nodes.

    Raises:
        InputError: a name is malformed or there already, or something else is wrong; then nothing is written.
    """
    folder = Path(folder)
    certificates.check_terms(hosts, days)
    first = not os.path.exists(folder / ROSTER)
    authority = certificates.Authority.fresh() if first else certificates.Authority.load(folder)
    coordinator = Identity.fresh(COORDINATOR)
    before = Roster(coordinator.public, {}) if first else Roster.load(folder / ROSTER)
    _check_new(folder, before, nodes, rows)
    members = [Identity.fresh(name) for name in nodes]
    added = {member.name: Entry(member.public, rows.get(member.name)) for member in members}
    roster = Roster(before.coordinator, before.nodes | added)
    files = {folder / name: content for name, content in authority.files().items()} if first else {}
    for member in [coordinator, *members] if first else members:
        own = authority.member(member.name, member.key, hosts, days)
        files |= {folder / member.name / name: content for name, content in own.items()}
    files |= {folder / name / _BELIEVED: f"{roster.coordinator}\n".encode() for name in added}
    _write(folder, files, roster)
    return roster


def _check_new(folder: Path, before: Roster, nodes: Sequence[str], rows: Mapping[str, str]) -> None:
    taken = set(before.nodes)
    for name in nodes:
        if _name(name) in taken or os.path.lexists(folder / name):
            remedy = f"Choose another; to give {name} a new key, remove its folder and its lines in {ROSTER} first."
            raise InputError("nodes", "be names that are new", name, remedy)
        taken.add(name)
    for name in rows:
        if name not in nodes:
            raise InputError("rows", "be of nodes that are added", name, nearest(name, nodes))


def _write(folder: Path, files: Mapping[Path, bytes], roster: Roster) -> None:
    remedy = f"Choose a folder that can be written to, and that is empty or has its {ROSTER}."
    for path in files:
        if os.path.lexists(path):
            raise InputError(str(path), "not be there yet", "an existing file", remedy)
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
        roster.save(folder / ROSTER)
    except OSError as error:
        raise InputError(str(folder), "be a folder that can be written to", error.strerror, remedy) from error


def _name(name: str) -> str:
    if name in _RESERVED or not _NAME.fullmatch(name):
        remedy = f"Choose another name; reserved are {', '.join(_RESERVED)}."
        raise InputError("nodes", "have names of 1 to 64 letters, digits, dots, hyphens and underscores", name, remedy)
    return name


def _public(where: str, public: str) -> str:
    if not _PUBLIC.fullmatch(public):
        remedy = "Copy it from the file that `holdfast keys` wrote."
        raise InputError(where, "be 64 hexadecimal digits, in lower case", public, remedy)
    return public
