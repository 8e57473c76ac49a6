"""What the rules cost: a few loops over the columns of an inbox, chosen by the device that holds it.

Every kernel streams over blocks of columns and takes leading batch dimensions. Half precision is computed in float32,
block by block; float32 and float64 as they are, with sums of many values in float64. On the same device the results are
the same whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from math import prod
from types import ModuleType

import torch
from torch import Tensor

from holdfast.kernels.ranks import Ranks

__all__ = [
    "Ranks",
    "blocks",
    "combined",
    "mixed",
    "ordered",
    "present_mean",
    "spans",
    "squared_distances",
    "squared_distances_by_blocks",
    "squared_lengths",
    "squared_lengths_by_blocks",
]

BLOCK_NUMBERS = 2**20
"""How many numbers a block of columns holds where it has to be copied."""
MIXED_IN_CACHE = 64
"""Up to how many rows mixtures are made as they are looked at; of more, a matrix product is faster."""


def ordered(x_MD: Tensor, ranks: Ranks, mix_QM: Tensor | None = None) -> Tensor:
    r"""Of each coordinate the mean of some ranks, or of the values nearest to that mean.

    .. math:: c_d = \frac{1}{h - l} \sum_{l \le r < h} y_{(r)d}, \qquad
              z_d = \frac{1}{k} \sum_{y \in N_k(c_d)} y

    where y = mix · x are the rows, or mixtures of them, and N_k the k values nearest to c_d, a tie going to the
    lesser. Values that are not finite are missing; a coordinate without any becomes 0.

    Args:
        x_MD: (…, M, D) rows.
        ranks: which ranks, for each number of values present.
        mix_QM: (…, Q, M) weights of the rows in each mixture; ``None`` takes the rows themselves. A row of weight 0
            may hold anything.

    Returns:
        (…, D).

    Example:
        >>> x_MD = torch.tensor([[1.0], [2.0], [9.0]])
        >>> ordered(x_MD, Ranks.of(3, lambda m: (m // 2, m // 2 + 1)))
        tensor([2.])
    """
    if _is_half(x_MD):
        return _by_blocks(x_MD, lambda y_MC: ordered(y_MC, ranks, mix_QM))
    if mix_QM is not None and mix_QM.shape[-1] > MIXED_IN_CACHE:
        return torch.cat([ordered(mixed(block_MC, mix_QM), ranks) for block_MC in blocks(x_MD)], dim=-1)
    x_GMD = _flat(x_MD)
    mix_GQM = None if mix_QM is None else _flat(mix_QM.expand(*x_MD.shape[:-2], -1, -1))
    found_GD: Tensor = _on(x_MD).ordered(x_GMD, mix_GQM, ranks)
    return found_GD.reshape(*x_MD.shape[:-2], x_MD.shape[-1])


def squared_distances(x_MD: Tensor, other_ED: Tensor | None = None) -> Tensor:
    """‖p - q‖² between all points: the rows, the other rows, and last the origin.

    Differences are squared, so nothing cancels where rows are long and close together. A point that holds a value that
    is not finite is at distance NaN or inf from the rest.

    Args:
        x_MD: (…, M, D) rows.
        other_ED: (…, E, D) more points.

    Returns:
        (…, P, P) in float64, P = M + E + 1.

    Example:
        >>> squared_distances(torch.tensor([[3.0, 4.0], [3.0, 0.0]]))
        tensor([[ 0., 16., 25.],
                [16.,  0.,  9.],
                [25.,  9.,  0.]], dtype=torch.float64)
    """
    other_ED = x_MD[..., :0, :] if other_ED is None else other_ED
    if _is_half(x_MD):
        return squared_distances_by_blocks(x_MD, other_ED, torch.float32)
    squared_GPP: Tensor = _on(x_MD).squared_distances(_flat(x_MD), _flat(other_ED))
    return squared_GPP.reshape(*x_MD.shape[:-2], *squared_GPP.shape[-2:])


def squared_distances_by_blocks(x_MD: Tensor, other_ED: Tensor, dtype: torch.dtype) -> Tensor:
    """The same, computed in another precision: nothing overflows in float64, nothing is lost of half precision."""
    pieces = ((x_MD[..., at].to(dtype), other_ED[..., at].to(dtype)) for at in spans(x_MD))
    return torch.stack([squared_distances(x_MC, other_EC) for x_MC, other_EC in pieces]).sum(0)


def squared_lengths(x_MD: Tensor, centre_D: Tensor | None = None) -> Tensor:
    """‖x_i - c‖² of each row, or ‖x_i‖² without a centre; NaN or inf for a row that holds a value that is not finite.

    Args:
        x_MD: (…, M, D) rows.
        centre_D: (…, D) a point.

    Returns:
        (…, M) in float64.

    Example:
        >>> squared_lengths(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([3.0, 0.0]))
        tensor([16.,  4.], dtype=torch.float64)
    """
    if _is_half(x_MD):
        return squared_lengths_by_blocks(x_MD, centre_D, torch.float32)
    centre_ED = x_MD[..., :0, :] if centre_D is None else centre_D.to(x_MD).expand(*x_MD.shape[:-2], -1).unsqueeze(-2)
    lengths_GM: Tensor = _on(x_MD).squared_lengths(_flat(x_MD), _flat(centre_ED))
    return lengths_GM.reshape(x_MD.shape[:-1])


def squared_lengths_by_blocks(x_MD: Tensor, centre_D: Tensor | None, dtype: torch.dtype) -> Tensor:
    """The same, computed in another precision."""
    centres = (None if centre_D is None else centre_D[..., at].to(dtype) for at in spans(x_MD))
    pieces = zip(blocks(x_MD), centres, strict=True)
    return torch.stack([squared_lengths(x_MC.to(dtype), centre_C) for x_MC, centre_C in pieces]).sum(0)


def combined(x_MD: Tensor, weights_M: Tensor) -> Tensor:
    """Σ_i w_i x_i, summed in float64; a row of weight 0 is not touched, whatever it holds.

    Args:
        x_MD: (…, M, D) rows.
        weights_M: (…, M) weights.

    Returns:
        (…, D).

    Example:
        >>> combined(torch.tensor([[1.0, 2.0], [3.0, torch.nan]]), torch.tensor([2.0, 0.0]))
        tensor([2., 4.])
    """
    return _by_weight("combined", x_MD, weights_M)


def present_mean(x_MD: Tensor, weights_M: Tensor) -> Tensor:
    """Σ_i w_i x_i / Σ_i w_i of each coordinate over the rows whose value there is finite; 0 where they weigh nothing.

    Args:
        x_MD: (…, M, D) rows.
        weights_M: (…, M) non-negative weights.

    Returns:
        (…, D).

    Example:
        >>> present_mean(torch.tensor([[1.0, 2.0], [3.0, torch.nan]]), torch.ones(2))
        tensor([2., 2.])
    """
    return _by_weight("present_mean", x_MD, weights_M)


def blocks(x_MD: Tensor) -> Iterator[Tensor]:
    """The rows in blocks of columns, (…, M, C), each small enough to be copied; at least one."""
    return (x_MD[..., columns] for columns in spans(x_MD))


def spans(x_MD: Tensor) -> Iterator[slice]:
    """The columns of each of the blocks of some rows."""
    columns = max(1, BLOCK_NUMBERS // max(1, x_MD[..., :1].numel()))
    return (slice(start, start + columns) for start in range(0, max(1, x_MD.shape[-1]), columns))


def mixed(x_MD: Tensor, mix_QM: Tensor) -> Tensor:
    """The (…, Q, D) mixtures of (…, M, D) rows, written down; a row of weight 0 may hold anything.

    Example:
        >>> mixed(torch.tensor([[1.0], [3.0], [torch.nan]]), torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]))
        tensor([[2.],
                [3.]])
    """
    if not _is_half(x_MD) and x_MD.isfinite().all():
        return mix_QM.to(x_MD) @ x_MD
    return torch.stack([combined(x_MD, weights_M) for weights_M in mix_QM.unbind(-2)], dim=-2)


def _by_weight(kernel: str, x_MD: Tensor, weights_M: Tensor) -> Tensor:
    if _is_half(x_MD):
        return _by_blocks(x_MD, lambda y_MC: _by_weight(kernel, y_MC, weights_M))
    weights_GM = weights_M.expand(x_MD.shape[:-1]).reshape(prod(x_MD.shape[:-2]), x_MD.shape[-2])
    found_GD: Tensor = getattr(_on(x_MD), kernel)(_flat(x_MD), weights_GM)
    return found_GD.reshape(*x_MD.shape[:-2], x_MD.shape[-1])


def _by_blocks(x_MD: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
    return torch.cat([compute(block.float()).to(x_MD.dtype) for block in blocks(x_MD)], dim=-1)


def _is_half(x_MD: Tensor) -> bool:
    return x_MD.dtype in (torch.float16, torch.bfloat16)


def _flat(x_MD: Tensor) -> Tensor:
    return x_MD.detach().reshape(prod(x_MD.shape[:-2]), *x_MD.shape[-2:]).contiguous()


def _on(x_MD: Tensor) -> ModuleType:
    """The kernels of the device that holds the rows."""
    return import_module(f"holdfast.kernels.{'cuda' if x_MD.is_cuda else 'cpu'}")  # numba loads slowly
