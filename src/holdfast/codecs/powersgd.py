"""Matrices as the product of two thin ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt, prod

import torch
from pydantic import Field
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.component import Shaped
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["PowerSGD"]


@dataclass(frozen=True)
class Part:
    """Some neighbouring columns of a row, seen as an m by n matrix whose last elements may be missing.

    Args:
        columns: how many there are, at most m · n.
        m: the rows of the matrix.
        n: the columns of the matrix.
        rank: how many columns each factor has; 0 where the part is sent as it is.
    """

    columns: int
    m: int
    n: int
    rank: int

    @classmethod
    def of(cls, m: int, n: int, columns: int, rank: int) -> Part:
        """The part, factored if that takes fewer values."""
        rank = min(rank, m, n)
        return cls(columns, m, n, rank if rank * (m + n) < columns else 0)

    @property
    def warm(self) -> int:
        """How many values of the right factor are remembered."""
        return self.rank * self.n

    @property
    def values(self) -> int:
        """How many values are sent."""
        return self.rank * (self.m + self.n) if self.rank else self.columns


class PowerSGD(Shaped, Codec):
    """Sends each matrix of a row as two thin factors, found by one step of power iteration from the last round's.

    P = orth(M Q_prev),  Q = Mᵀ P,  decode = P Qᵀ = P Pᵀ M

    so that ‖decode - M‖² = ‖M‖² - ‖decode‖², and M is exact where its rank is at most r. Q is remembered for each
    node; at first, or where it was 0, it is drawn at random. In a run the matrices are the tensors of the network with
    two dimensions or more, as (first, rest); rows of another length are one matrix as near to a square as can be.
    Vectors, and matrices so small that the factors would take more, are sent as they are. All of it is in ``values``,
    for a next codec. It is biased: use it inside `error_feedback`. A row with a value that is not finite, or so great
    that the products overflow, arrives as values that are not finite.

    Raises:
        InputError: when it stands behind another codec of a chain.

    Example:
        >>> import numpy as np
        >>> codec, x_KD = PowerSGD(rank=1), torch.outer(torch.arange(1.0, 5.0), torch.ones(4)).reshape(1, 16)
        >>> state, payload = codec.encode(codec.start(1, 16), x_KD, Draws(1, "codec", np.array([0]), 0))
        >>> payload.bytes_K  # two vectors of four
        array([32])
        >>> codec.decode(payload).view(4, 4)[:, 0].round(decimals=4)
        tensor([1., 2., 3., 4.])

    Reference:
        Vogels, Karimireddy & Jaggi, "PowerSGD: Practical Low-Rank Gradient Compression for Distributed Optimization"
        (NeurIPS 2019), Algorithm 1, as one node runs it.
    """

    rank: int = Field(2, ge=1, description="r, how many columns each factor has")

    def _parts(self, columns: int) -> list[Part]:
        """The parts of a row of that many columns."""
        if sum(map(prod, self._shapes)) == columns:
            matrices = [(s[0], prod(s[1:])) if len(s) > 1 else (1, prod(s)) for s in self._shapes]
            return [Part.of(m, n, m * n, self.rank) for m, n in matrices]
        side = isqrt(columns - 1) + 1
        return [Part.of(side, -(-columns // side), columns, self.rank)]

    def width(self, columns: int) -> int:
        """How many values of a row are sent."""
        return sum(part.values for part in self._parts(columns))

    def start(self, rows: int, columns: int) -> State:
        """The right factors, (rows, their values), all 0, which stands for not yet drawn."""
        return {"right": torch.zeros(rows, sum(part.warm for part in self._parts(columns)))}

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The new right factors, and ``values`` (K, width) float32: of each part P and Q, or the part itself."""
        x_KD, parts = x_KD.float(), self._parts(x_KD.shape[1])
        whole_K1 = x_KD.isfinite().all(1, keepdim=True)
        tensors = x_KD.where(whole_K1, 0).split([part.columns for part in parts], dim=1)
        warm = _drawn(state["right"].to(x_KD.device), parts, draws)
        sent: list[Tensor] = []
        kept = [x_KD[:, :0]]
        for part, tensor, right in zip(parts, tensors, warm, strict=True):
            factors = _factors(part, tensor, right) if part.rank else (tensor,)
            sent += factors
            kept += factors[1:]
        right_KR = torch.cat(kept, dim=1)
        right_KR = right_KR.where(right_KR.isfinite().all(1, keepdim=True), 0)
        return {"right": right_KR}, Payload({"values": torch.cat(sent, 1).where(whole_K1, torch.nan)}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        parts = self._parts(payload.columns)
        pieces = payload.tensors["values"].float().split([part.values for part in parts], dim=1)
        return torch.cat([_product(part, piece) for part, piece in zip(parts, pieces, strict=True)], dim=1)


def _drawn(right_KR: Tensor, parts: Sequence[Part], draws: Draws) -> list[Tensor]:
    """The right factors of each part; normal numbers where they are all 0, from where no step leads on."""
    sizes = [part.warm for part in parts]
    known = right_KR.split(sizes, dim=1)
    if all(bool(right.any(1).all()) for right in known if right.shape[1]):
        return list(known)
    drawn = draws.normal(right_KR.shape[1]).to(right_KR.device).split(sizes, dim=1)
    return [right.where(right.any(1, keepdim=True), fresh) for right, fresh in zip(known, drawn, strict=True)]


def _factors(part: Part, tensor: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """P (K, m · r) and Q (K, n · r) of one part."""
    missing = part.m * part.n - part.columns
    matrix = torch.nn.functional.pad(tensor, (0, missing)).unflatten(1, (part.m, part.n))
    left = torch.linalg.qr(matrix @ right.unflatten(1, (part.n, part.rank))).Q
    return left.flatten(1), (matrix.mT @ left).flatten(1)


def _product(part: Part, piece: Tensor) -> Tensor:
    """The (K, columns) of one part."""
    if not part.rank:
        return piece
    left, right = piece.split([part.m * part.rank, part.n * part.rank], dim=1)
    product: Tensor = left.unflatten(1, (part.m, part.rank)) @ right.unflatten(1, (part.n, part.rank)).mT
    return product.flatten(1)[:, : part.columns]
