"""The kernels once more, slowly: plain Python on lists of float64, and the inputs to try them on."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from holdfast.kernels import Ranks

Rows = list[list[float]]


def median_of(rows: int) -> Ranks:
    return Ranks.of(rows, lambda m: ((m - 1) // 2, m // 2 + 1))


def trimmed_of(rows: int) -> Ranks:
    return Ranks.of(rows, lambda m: ((m - 1) // 4, m - (m - 1) // 4))


def nearest_of(rows: int) -> Ranks:
    """The values nearest to the median, half of them and one."""
    return Ranks.of(rows, lambda m: ((m - 1) // 2, m // 2 + 1), lambda m: m // 2 + 1)


def nearest_sometimes_of(rows: int) -> Ranks:
    """The values nearest to a trimmed mean where three or more are there, else their mean."""
    return Ranks.of(rows, lambda m: ((m - 1) // 3, m - (m - 1) // 3), lambda m: m - 1 if m >= 3 else 0)


RULES: list[Callable[[int], Ranks]] = [median_of, trimmed_of, nearest_of, nearest_sometimes_of]


def mixed(x: Rows, mix: Rows) -> Rows:
    columns = range(len(x[0]))
    return [[sum(w * row[c] for w, row in zip(shares, x, strict=True) if w != 0) for c in columns] for shares in mix]


def ordered(x: Rows, ranks: Ranks) -> list[float]:
    result = []
    for column in range(len(x[0])):
        values = sorted(row[column] for row in x if math.isfinite(row[column]))
        present = len(values)
        if not values:
            result.append(0.0)
            continue
        middle = values[ranks.low[present] : ranks.high[present]]
        centre = sum(middle) / len(middle)
        keep = int(ranks.keep[present])
        if keep:
            near = sorted(values, key=lambda value: (abs(value - centre), value))[:keep]
            centre = sum(near) / keep
        result.append(centre)
    return result


def squared_distances(points: Rows) -> Rows:
    points = [*points, [0.0] * len(points[0])]
    return [
        [0.0 if i == j else sum((u - v) ** 2 for u, v in zip(p, q, strict=True)) for j, q in enumerate(points)]
        for i, p in enumerate(points)
    ]


def combined(x: Rows, weights: list[float]) -> list[float]:
    return mixed(x, [weights])[0]


def present_mean(x: Rows, weights: list[float]) -> list[float]:
    result = []
    for column in range(len(x[0])):
        pairs = [(w, row[column]) for w, row in zip(weights, x, strict=True) if math.isfinite(row[column])]
        total = sum(w for w, _ in pairs)
        result.append(sum(w * value for w, value in pairs) / total if total > 0 else 0.0)
    return result


WORD = 2**64 - 1


def random_bits(address: int, column: int) -> int:
    """The 32 random bits of a column: half of an output of SplitMix64, in integers of any length."""
    z = (address + (column // 2 + 1) * 0x9E3779B97F4A7C15) & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    z ^= z >> 31
    return z >> 32 if column % 2 else z & 0xFFFFFFFF


def fraction(address: int, column: int) -> float:
    """The number in [0, 1) that the upper 24 of those bits are."""
    return (random_bits(address, column) >> 8) / 2**24


# ---------------------------------------------------------------- inputs


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def with_holes(x_MD: Tensor, seed: int = 0) -> Tensor:
    """The rows with about a fifth of the values not finite, and the last column empty."""
    holed_MD, chance_MD = x_MD.clone(), torch.rand(x_MD.shape, generator=torch.Generator().manual_seed(seed))
    for at, hole in enumerate((math.nan, math.inf, -math.inf)):
        holed_MD[(chance_MD >= 0.07 * at) & (chance_MD < 0.07 * (at + 1))] = hole
    holed_MD[..., -1:] = math.nan
    return holed_MD


def shares(seed: int, *shape: int) -> Tensor:
    """Weights of which half are 0; those of each mixture add up to 1, or all are 0."""
    draw = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    half = draw.where(draw > 0.5, 0)
    return half / half.sum(-1, keepdim=True).clamp(min=0.5)


def as_lists(x_MD: Tensor) -> Rows:
    result: Rows = x_MD.double().tolist()
    return result


def assert_near(found: Tensor, expected: object, tolerance: float = 1e-6) -> None:
    torch.testing.assert_close(
        found.double(),
        torch.as_tensor(expected, dtype=torch.float64),
        rtol=tolerance,
        atol=tolerance,
        equal_nan=True,
        check_device=False,
    )
