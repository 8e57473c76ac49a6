"""Parcels on their way out, kept for as long as a receiver may ask for a part of them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from holdfast.codecs import Payload
from holdfast.runtimes.network.desk import AGAIN, CHUNKS, STATEMENTS, framed
from holdfast.runtimes.network.parcel import FLOATS, bytes_of, chunks_of, digests_of, specs_of, tensors_of
from holdfast.runtimes.network.post import Post
from holdfast.runtimes.network.seal import Seal
from holdfast.runtimes.network.wire import Parcel, Signer, sealed

__all__ = ["Outgoing"]


@dataclass(frozen=True)
class Outgoing:
    """A parcel that may have to be sent again.

    Args:
        manifest: what it announces.
        envelope: the signed manifest.
        chunks: its chunks.
        seal: closes each chunk on its own, where a link has no encryption.
    """

    manifest: Parcel
    envelope: bytes
    chunks: list[memoryview] = field(repr=False)
    seal: Seal | None = None
    _resent: Counter[str] = field(default_factory=Counter, repr=False)

    @classmethod
    def of(cls, signer: Signer, payloads: Mapping[str, Payload], about: Parcel, seal: Seal | None = None) -> Outgoing:
        """The parcel of payloads; ``about`` says what the manifest is to say besides."""
        chunks = chunks_of(tensors_of(payloads), about.chunk)
        digests = b"" if seal else digests_of(chunks)
        manifest = msgspec.structs.replace(about, specs=specs_of(payloads), digests=digests)
        return cls(manifest, sealed(signer, manifest), chunks, seal)

    def send(self, post: Post, recipient: str) -> None:
        """Send all of it over the reliable link."""
        post.send(recipient, STATEMENTS, self.envelope)
        self._send(post, recipient, range(len(self.chunks)))

    def send_chunks(self, post: Post, recipient: str, wanted: Sequence[int]) -> None:
        """Send some of its chunks again over the reliable link, as often as a receiver has reason to ask."""
        known = sorted(index for index in set(wanted) if 0 <= index < len(self.chunks))
        chosen = known[: AGAIN * len(self.chunks) - self._resent[recipient]]
        self._resent[recipient] += len(chosen)
        self._send(post, recipient, chosen)

    def _send(self, post: Post, recipient: str, wanted: Iterable[int]) -> None:
        for index in wanted:
            post.send(recipient, CHUNKS, self._frame(index))

    def send_best_effort(self, post: Post, recipient: str, rate: float) -> None:
        """Send what can have holes over the best-effort link, and all else over the reliable one."""
        post.send(recipient, STATEMENTS, self.envelope)
        sizes = [-(-bytes_of(spec) // self.manifest.chunk) for spec in self.manifest.specs]
        kinds = [s.dtype in FLOATS for s, n in zip(self.manifest.specs, sizes, strict=True) for _ in range(n)]
        self._send(post, recipient, [index for index, loses in enumerate(kinds) if not loses])
        post.send_paced(recipient, CHUNKS, (self._frame(i) for i, loses in enumerate(kinds) if loses), rate)

    def _frame(self, index: int) -> bytes:
        phase, round, content = self.manifest.phase, self.manifest.round, self.chunks[index]
        closed = self.seal.close(phase, round, index, content) if self.seal else content
        return framed(phase, round, index, closed)
