"""The rules once more, slowly: plain Python on lists of float64, and the rows to try them on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

Rows = Sequence[Sequence[float]]

SMALL = st.integers(-8, 8).map(float)
BROKEN = st.sampled_from([math.nan, math.inf, -math.inf])


@st.composite
def rows(draw: st.DrawFn, least: int, most: int = 9, broken: bool = True) -> Tensor:
    """Few rows of small whole numbers, full of ties, on which float32 is exact; some values broken."""
    count, columns = draw(st.integers(least, most)), draw(st.integers(1, 4))
    value = st.one_of(SMALL, SMALL, SMALL, BROKEN) if broken else SMALL
    row = st.lists(value, min_size=columns, max_size=columns)
    return torch.tensor(draw(st.lists(row, min_size=count, max_size=count)))


@st.composite
def rows_with_liars(draw: st.DrawFn) -> tuple[int, Tensor, Tensor]:
    """f, honest rows that outnumber f, and all rows: the honest with f arbitrary ones, shuffled."""
    f, columns = draw(st.integers(0, 3)), draw(st.integers(1, 4))
    truth = st.lists(st.floats(-1e6, 1e6, width=32), min_size=columns, max_size=columns)
    lie = st.lists(st.floats(width=32), min_size=columns, max_size=columns)
    honest = draw(st.lists(truth, min_size=f + 1, max_size=8))
    lies = draw(st.lists(lie, min_size=f, max_size=f))
    return f, torch.tensor(honest), torch.tensor(draw(st.permutations(honest + lies)))


def normal_rows(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def as_lists(x_MD: Tensor) -> list[list[float]]:
    result: list[list[float]] = x_MD.double().tolist()
    return result


def finite_values(x: Rows, column: int) -> list[float]:
    return sorted(row[column] for row in x if math.isfinite(row[column]))


def median(x: Rows, upper: bool) -> list[float]:
    result = []
    for column in range(len(x[0])):
        values = finite_values(x, column)
        half = len(values) // 2
        if not values:
            result.append(0.0)
        elif len(values) % 2 or upper:
            result.append(values[half])
        else:
            result.append((values[half - 1] + values[half]) / 2)
    return result


def trimmed_mean(x: Rows, f: int) -> list[float]:
    result = []
    for column in range(len(x[0])):
        values = finite_values(x, column)
        dropped = 0
        while dropped < f and len(values) >= 3:
            values, dropped = values[1:-1], dropped + 1
        result.append(sum(values) / len(values) if values else 0.0)
    return result


def nan_mean(x: Rows, weights: Sequence[float]) -> list[float]:
    result = []
    for column in range(len(x[0])):
        pairs = [(w, row[column]) for w, row in zip(weights, x, strict=True) if math.isfinite(row[column])]
        total = sum(w for w, _ in pairs)
        result.append(sum(w * v for w, v in pairs) / total if total > 0 else 0.0)
    return result


def whole(row: Sequence[float]) -> bool:
    return all(math.isfinite(value) for value in row)


def squared_distance(a: Sequence[float], b: Sequence[float]) -> float:
    if not (whole(a) and whole(b)):
        return math.inf
    return sum((u - v) ** 2 for u, v in zip(a, b, strict=True))


def krum_order(x: Rows, f: int) -> list[int]:
    """The rows from best to worst; broken ones last."""
    keys = []
    for i, row in enumerate(x):
        others = sorted(squared_distance(row, other) for j, other in enumerate(x) if j != i)
        keys.append((not whole(row), sum(others[: len(x) - f - 2]), i))
    return [i for _, _, i in sorted(keys)]


def multi_krum(x: Rows, f: int, m: int | None) -> list[float]:
    chosen = [x[i] for i in krum_order(x, f)[: m or len(x) - f - 2]]
    chosen = [row for row in chosen if whole(row)] or chosen
    return [sum(row[d] for row in chosen) / len(chosen) for d in range(len(x[0]))]


def nnm(x: Rows, f: int) -> list[list[float]]:
    result = []
    for i, row in enumerate(x):
        if not whole(row):
            result.append(list(row))
            continue
        keys = sorted((j != i, squared_distance(row, other), j) for j, other in enumerate(x))
        near = [x[j] for _, distance, j in keys[: len(x) - f] if math.isfinite(distance)]
        result.append([sum(other[d] for other in near) / len(near) for d in range(len(row))])
    return result


def assert_near(found: Tensor, expected: object) -> None:
    np.testing.assert_allclose(found.double().numpy(), np.asarray(expected, dtype=float), rtol=1e-5, atol=1e-5)
