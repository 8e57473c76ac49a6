"""The tensors that hold anything."""

from __future__ import annotations

from math import isqrt, prod

import torch
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.component import Shaped
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Layers"]


class Layers(Shaped, Codec):
    """Sends the tensors of a row that are not all 0, whole, and one bit for each tensor that says so; it loses nothing.

    For rows of which the trigger `per_layer` sends some tensors only, and for networks with layers that rest. In a run
    the tensors are those of the network; rows of another length are cut into √D pieces. How much is sent differs from
    row to row, so no other codec can encode it further.

    Example:
        >>> import numpy as np
        >>> codec, draws = Layers().fitted([(2, 2), (3,)]), Draws(1, "codec", np.array([0, 1]), 0)
        >>> x_KD = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 9.0]])
        >>> _, payload = codec.encode({}, x_KD, draws)
        >>> payload.tensors["kept"], payload.lengths["kept"]
        (tensor([[1., 0., 0., 0.],
                [0., 8., 9., 0.]]), tensor([4, 3]))
        >>> payload.bytes_K  # four for each value, four that say how many, and one of eight bits
        array([21, 17])
        >>> bool((codec.decode(payload) == x_KD).all())
        True
    """

    def _sizes(self, columns: int) -> Tensor:
        """(L,) how many columns each tensor has."""
        sizes = [prod(shape) for shape in self._shapes]
        if sum(sizes) != columns:
            width = isqrt(columns - 1) + 1
            sizes = [min(width, columns - start) for start in range(0, columns, width)]
        return torch.tensor(sizes)

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ``present`` (K, ⌈L / 8⌉) uint8, and ``kept`` (K, greatest length) float32."""
        x_KD, sizes_L = x_KD.float(), self._sizes(x_KD.shape[1])
        present_KL = torch.stack([(part != 0).any(1) for part in x_KD.split(sizes_L.tolist(), dim=1)], dim=1)
        sent_KD = _columns(present_KL, sizes_L)
        lengths_K = sent_KD.sum(1)
        kept = x_KD.new_zeros(len(x_KD), max(lengths_K.tolist(), default=0))
        kept[_real(kept, lengths_K)] = x_KD[sent_KD]
        return state, Payload({"present": _packed(present_KL), "kept": kept}, x_KD.shape[1], {"kept": lengths_K})

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows; NaN where a peer's length is not that of the tensors it announces."""
        kept, sizes_L = payload.tensors["kept"].float(), self._sizes(payload.columns)
        sent_KD = _columns(_unpacked(payload.tensors["present"], len(sizes_L)), sizes_L)
        lengths_K = payload.lengths["kept"].to(kept.device)
        fit_K1 = (sent_KD.sum(1) == lengths_K).unsqueeze(1)
        found_KD = kept.new_zeros(sent_KD.shape)
        found_KD[sent_KD & fit_K1] = kept[_real(kept, lengths_K) & fit_K1]
        return found_KD.where(fit_K1, torch.nan)

    def template(self, columns: int) -> Payload:
        """One row's payload where every tensor is sent."""
        present = torch.zeros(1, -(-len(self._sizes(columns)) // 8), dtype=torch.uint8)
        lengths = {"kept": torch.tensor([columns])}
        return Payload({"present": present, "kept": torch.zeros(1, columns)}, columns, lengths)


def _columns(present_KL: Tensor, sizes_L: Tensor) -> Tensor:
    """(K, D) which columns belong to a tensor that is present."""
    return present_KL.repeat_interleave(sizes_L.to(present_KL.device), dim=1)


def _real(kept: Tensor, lengths_K: Tensor) -> Tensor:
    """Which of the values are no padding."""
    return torch.arange(kept.shape[1], device=kept.device) < lengths_K.unsqueeze(1)


def _packed(bits_KL: Tensor) -> Tensor:
    """(K, ⌈L / 8⌉) uint8, the first bit in the least place."""
    padded = torch.nn.functional.pad(bits_KL.to(torch.uint8), (0, -bits_KL.shape[1] % 8)).unflatten(1, (-1, 8))
    placed: Tensor = padded << torch.arange(8, dtype=torch.uint8, device=bits_KL.device)
    return placed.sum(2).to(torch.uint8)


def _unpacked(bytes_KB: Tensor, bits: int) -> Tensor:
    """(K, bits) bool."""
    places = torch.arange(8, dtype=torch.uint8, device=bytes_KB.device)
    found: Tensor = bytes_KB.unsqueeze(2) >> places & 1
    return found.flatten(1)[:, :bits].bool()
