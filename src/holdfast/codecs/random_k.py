"""A few values at random."""

from __future__ import annotations

import math

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws, address
from holdfast.types import State

__all__ = ["RandomK"]


class RandomK(Codec):
    """Sends k values from columns drawn afresh each round, and eight bytes from which the receiver draws them again.

    decode = D/k · x on the drawn columns, 0 elsewhere,  k = max(1, ⌈fraction · D⌉)

    so that E[decode] = x and E‖decode - x‖² = (D/k - 1) ‖x‖². Without the factor it is biased, but it takes nothing
    too far: E‖decode - x‖² = (1 - k/D) ‖x‖². That is what `error_feedback` needs: inside it say ``unbiased: false``,
    or what it makes good grows from round to round. A row with a value that is not finite arrives as NaN where it is
    sent.

    Example:
        >>> import numpy as np
        >>> codec, draws = RandomK(fraction=0.5), Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = codec.encode({}, torch.tensor([[1.0, 2.0, 3.0, 4.0]]), draws)
        >>> payload.bytes_K  # two values and the address of the draw
        array([16])
        >>> codec.decode(payload)
        tensor([[0., 4., 0., 8.]])

    Reference:
        Stich, Cordonnier & Jaggi, "Sparsified SGD with Memory" (NeurIPS 2018), Definition 2.1; Konečný & Richtárik,
        "Randomized Distributed Mean Estimation: Accuracy vs. Communication" (2018), for the unbiased form.
    """

    fraction: float = Field(0.1, gt=0, le=1, description="the fraction of a row's values to send, rounded up")
    unbiased: bool = Field(True, description="whether what arrives is multiplied by D/k, to be right on average")

    def width(self, columns: int) -> int:
        """k, how many values of a row are sent."""
        return max(1, math.ceil(self.fraction * columns))

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ``values`` (K, k) float32 and the ``address`` (K,) int64 of each row's draw."""
        x_KD = x_KD.float()
        # A purpose of its own: the next codec of a chain gets the same draws, and must not round by these numbers.
        words_K = address(draws.seed, f"{draws.purpose}.random_k", draws.nodes_K, draws.round)
        address_K = torch.from_numpy(words_K.view(np.int64))
        values = x_KD.gather(1, _columns(address_K, x_KD.shape[1], self.width(x_KD.shape[1])).to(x_KD.device))
        whole_K1 = x_KD.isfinite().all(1, keepdim=True)
        return state, Payload({"values": values.where(whole_K1, torch.nan), "address": address_K}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        values, columns = payload.tensors["values"].float(), payload.columns
        drawn = _columns(payload.tensors["address"], columns, values.shape[1]).to(values.device)
        factor = columns / values.shape[1] if self.unbiased else 1.0
        return values.new_zeros(len(values), columns).scatter(1, drawn, values * factor)


def _columns(address_K: Tensor, columns: int, k: int) -> Tensor:
    """The (K, k) columns that the addresses stand for."""
    from holdfast.kernels.sampling import subsets  # numba loads slowly

    return torch.from_numpy(subsets(address_K.cpu().numpy().view(np.uint64), columns, k))
