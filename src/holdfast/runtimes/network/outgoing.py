"""Parcels on their way out, kept for as long as a receiver may ask for a part of them again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from holdfast.codecs import Payload
from holdfast.runtimes.network.desk import AGAIN, CHUNKS, STATEMENTS, framed
from holdfast.runtimes.network.parcel import FLOATS, bytes_of, chunks_of, digests_of, specs_of, tensors_of
from holdfast.runtimes.network.post import Post
from holdfast.runtimes.network.seal import Seal
from holdfast.runtimes.network.wire import Parcel, Sent, Signer, sealed
from holdfast.types import BoolArray

__all__ = ["Outgoing"]


@dataclass(frozen=True)
class Outgoing:
    """A parcel that may have to be sent again.

    Args:
        manifest: what it announces.
        envelope: the signed manifest.
        chunks: its chunks.
        sent: the signed word that all datagrams have been sent.
        seal: closes each chunk on its own, where a link has no encryption.
    """

    manifest: Parcel
    envelope: bytes
    chunks: list[memoryview] = field(repr=False)
    sent: bytes = b""
    seal: Seal | None = None
    _repeats: Counter[str] = field(default_factory=Counter, repr=False)
    _resent: Counter[str] = field(default_factory=Counter, repr=False)

    @classmethod
    def of(cls, signer: Signer, payloads: Mapping[str, Payload], about: Parcel, seal: Seal | None = None) -> Outgoing:
        """The parcel of payloads; ``about`` says what the manifest is to say besides."""
        chunks = chunks_of(tensors_of(payloads), about.chunk)
        digests = b"" if seal else digests_of(chunks)
        manifest = msgspec.structs.replace(about, specs=specs_of(payloads), digests=digests)
        sent = Sent(run=about.run, sender=about.sender, phase=about.phase, round=about.round)
        return cls(manifest, sealed(signer, manifest), chunks, sealed(signer, sent), seal)

    def to(self, recipient: str, signer: Signer, seal: Seal | None = None) -> Outgoing:
        """The same for another recipient, with a seal of its own."""
        manifest = msgspec.structs.replace(self.manifest, to=recipient)
        return replace(self, manifest=manifest, envelope=sealed(signer, manifest), seal=seal)

    def send(self, post: Post, recipient: str, rate: float = math.inf) -> None:
        """Send all of it; sealed chunks that can have holes go in datagrams, so many bytes a second."""
        post.send(recipient, STATEMENTS, self.envelope)
        loses = self._may_lose()
        self._send(post, recipient, np.flatnonzero(~loses).tolist())
        self._send_datagrams(post, recipient, np.flatnonzero(loses).tolist(), rate)

    def repeat(self, post: Post, recipient: str, wanted: Sequence[int], rate: float = math.inf) -> None:
        """Send chunks again, as often as a receiver has reason to ask: datagrams first, then over the reliable link.

        Who wants no chunk by number has begun anew, and gets the manifest and all of them.
        """
        if not wanted:
            if self._repeats[recipient] < AGAIN:
                self._repeats[recipient] += 1
                self.send(post, recipient, rate)
            return
        known = sorted(index for index in set(wanted) if 0 <= index < len(self.chunks))
        chosen = known[: AGAIN * len(self.chunks) - self._resent[recipient]]
        self._resent[recipient] += len(chosen)
        self._repeats[recipient] += 1
        loses = self._may_lose() & (self._repeats[recipient] < AGAIN)
        self._send(post, recipient, [index for index in chosen if not loses[index]])
        self._send_datagrams(post, recipient, [index for index in chosen if loses[index]], rate)

    def _may_lose(self) -> BoolArray:
        """Which chunks may go in datagrams."""
        sizes = [-(-bytes_of(spec) // self.manifest.chunk) for spec in self.manifest.specs]
        floats = np.array([spec.dtype in FLOATS for spec in self.manifest.specs], dtype=bool)
        kinds: BoolArray = np.repeat(floats, sizes) & (self.seal is not None)
        return kinds

    def _send(self, post: Post, recipient: str, wanted: Sequence[int]) -> None:
        for index in wanted:
            post.send(recipient, CHUNKS, self._frame(index))

    def _send_datagrams(self, post: Post, recipient: str, wanted: Sequence[int], rate: float) -> None:
        """Send in datagrams, and then say reliably that all are sent."""
        if self.seal is not None:
            post.send_paced(recipient, CHUNKS, map(self._frame, wanted), rate)
            post.send(recipient, STATEMENTS, self.sent)

    def _frame(self, index: int) -> bytes:
        phase, round, content = self.manifest.phase, self.manifest.round, self.chunks[index]
        closed = self.seal.close(phase, round, index, content) if self.seal else content
        return framed(phase, round, index, closed)
