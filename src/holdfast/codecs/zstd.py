"""Zstandard, which loses nothing."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.codecs.entropy import Lossless, imported

__all__ = ["Zstd"]


class Zstd(Lossless):
    """Compresses the bytes of what the codec inside sends by Zstandard: dictionary matches and an entropy coder.

    decode(blob) = inner.decode(bytes), nothing else is lost

    Each row becomes one ragged ``blob``: the lengths of the inner codec's ragged tensors, then its tensors, compressed.
    It wraps the others, `{name: zstd, codec: [top_k, int8]}`; without a codec the rows stay float32 and arrive exactly.
    Floats of a like size compress by their exponents alone, about a tenth; sparse or quantised rows by far more. A
    blob that is not what an honest sender makes arrives as NaN, and never takes more memory than a row of the inner
    codec can.

    Raises:
        InputError: the package zstandard is not installed, or the codec inside tells differences.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> codec, x_KD = Zstd(), torch.ones(1, 1000)
        >>> _, payload = codec.encode({}, x_KD, Draws(1, "codec", np.array([0]), 0))
        >>> bool(payload.bytes_K[0] < 100), torch.equal(codec.decode(payload), x_KD)
        (True, True)

    Reference:
        Collet & Kucherawy, "Zstandard Compression and the 'application/zstd' Media Type" (RFC 8878, 2021).
    """

    library: ClassVar[str] = "zstandard"

    level: int = Field(3, ge=1, le=22, description="how hard to try; each level is smaller and slower")

    def press(self, row: bytes) -> bytes:
        """One frame that says how many bytes it holds."""
        pressed: bytes = imported(self.library, "zstd").ZstdCompressor(level=self.level).compress(row)
        return pressed

    def unpress(self, blob: bytes, most: int) -> bytes | None:
        """The content of one frame; None where it says more than it may, or is broken."""
        zstandard = imported(self.library, "zstd")
        try:
            if not 0 <= zstandard.frame_content_size(blob) <= most:
                return None
            row: bytes = zstandard.ZstdDecompressor().decompress(blob, allow_extra_data=False)
        except zstandard.ZstdError:
            return None
        return row

    def greatest(self, row: int) -> int:
        """ZSTD_compressBound: what does not compress is stored in blocks, each with its header."""
        return row + (row >> 8) + max(0, (2**17 - row) >> 11)
