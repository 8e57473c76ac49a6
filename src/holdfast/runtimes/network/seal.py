"""Sealed chunks for links that have no encryption of their own: AES-GCM under a key that both ends agreed on."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.runtimes.network.wire import MessageError

__all__ = ["Seal", "agree", "fresh_secret", "public_half"]

_NONCE = struct.Struct("<II4s")


def fresh_secret() -> X25519PrivateKey:
    """A key of which the other end gets the public half, for one process's life."""
    return X25519PrivateKey.generate()


def public_half(secret: X25519PrivateKey) -> str:
    """The half that the other end gets, in hexadecimal digits."""
    return secret.public_key().public_bytes_raw().hex()


@dataclass(frozen=True)
class Seal:
    """Seals the chunks between one node and its coordinator in one run.

    A nonce is (round, chunk, phase), and the key is of this run and this node alone, so no nonce serves twice.
    """

    key: bytes = field(repr=False)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self.key)

    def close(self, phase: str, round: int, index: int, content: bytes | memoryview) -> bytes:
        """The sealed chunk, 16 bytes longer."""
        return self._cipher.encrypt(_nonce(phase, round, index), content, None)

    def open(self, phase: str, round: int, index: int, content: bytes | memoryview) -> bytes:
        """What was sealed.

        Raises:
            MessageError: it was sealed by another, for another place, or not at all.
        """
        try:
            return self._cipher.decrypt(_nonce(phase, round, index), content, None)
        except (InvalidTag, ValueError) as error:
            raise MessageError("wrong chunk") from error


def _nonce(phase: str, round: int, index: int) -> bytes:
    return _NONCE.pack(round, index, phase[:4].encode())


def agree(secret: X25519PrivateKey, other: str, run: str, node: str) -> Seal:
    """The seal of a node in a run, which both ends derive from their secret and the other's public half.

    Raises:
        MessageError: the other half is no key.

    Example:
        >>> a, b = fresh_secret(), fresh_secret()
        >>> agree(a, public_half(b), "0", "alice") == agree(b, public_half(a), "0", "alice")
        True
    """
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(other)))
    except ValueError as error:
        raise MessageError("no key") from error
    about = f"holdfast chunks of {node} in {run}".encode()
    return Seal(HKDF(hashes.SHA256(), 32, salt=None, info=about).derive(shared))
