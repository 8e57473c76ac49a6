"""The rules on graphs once more, slowly; row 0 is the receiver's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import strategies as st
from torch import Tensor

from .oracles import Rows, rows, squared_distance, whole

Weights = Sequence[int]


@st.composite
def neighbourhoods(draw: st.DrawFn, most_f: int = 3) -> tuple[int, Tensor, list[int]]:
    """f, at least 2f + 1 rows full of ties, some of them broken, and whole weights."""
    f = draw(st.integers(0, most_f))
    x_MD = draw(rows(2 * f + 1))
    return f, x_MD, draw(st.lists(st.integers(1, 5), min_size=len(x_MD), max_size=len(x_MD)))


def steps(x: Rows) -> list[float]:
    """The squared distances to the own row."""
    return [squared_distance(x[0], row) for row in x]


def clipped(x: Rows, weights: Weights, tau: float) -> list[float]:
    """The own row, and for each neighbour that is whole its weight times the clipped difference."""
    y = list(x[0])
    for row, weight, squared in zip(x[1:], weights[1:], steps(x)[1:], strict=True):
        if math.isinf(squared):
            continue
        length = math.sqrt(squared)
        scale = tau / length if length > tau else 1.0
        for d in range(len(y)):
            y[d] += weight / sum(weights) * scale * (row[d] - x[0][d])
    return y


def heaviest(weights: Weights, f: int) -> Fraction:
    return Fraction(sum(sorted(weights[1:], reverse=True)[:f]), sum(weights))


def clipped_gossip(x: Rows, weights: Weights, f: int) -> list[float]:
    squared = steps(x)
    nearest = sorted(range(len(x)), key=lambda j: (squared[j], j))[: len(x) - f]
    total = sum(weights[j] / sum(weights) * squared[j] for j in nearest if math.isfinite(squared[j]))
    b = float(heaviest(weights, f))
    return clipped(x, weights, math.sqrt(total / b) if b else math.inf)


def self_centered_clipping(x: Rows, f: int) -> list[float]:
    return clipped(x, [1] * len(x), math.sqrt(sorted(steps(x))[len(x) - 1 - f]))


def cs_plus_rg(x: Rows, weights: Weights, f: int) -> list[float]:
    squared, total = steps(x), Fraction(0)
    for k in sorted(range(len(x)), key=lambda j: (-squared[j], j)):
        if total >= 2 * heaviest(weights, f):
            return clipped(x, weights, math.sqrt(squared[k]))
        total += Fraction(weights[k], sum(weights))
    return list(x[0])


def nna(x: Rows, f: int) -> list[float]:
    squared = steps(x)
    order = [0, *sorted(range(1, len(x)), key=lambda j: (squared[j], j))][: len(x) - f]
    near = [x[j] for j in order if j == 0 or math.isfinite(squared[j])]
    return [sum(row[d] for row in near) / len(near) for d in range(len(x[0]))]


def ios(x: Rows, weights: Sequence[float], f: int) -> list[float]:
    left = list(range(len(x))) if whole(x[0]) else [0]
    for _ in range(f if whole(x[0]) else 0):
        centre = mean(x, weights, left)
        far = [math.inf if not whole(x[j]) else math.dist(x[j], centre) for j in left[1:]]
        left.pop(1 + far.index(max(far)))
    return mean(x, weights, left)


def mean(x: Rows, weights: Sequence[float], left: Sequence[int]) -> list[float]:
    """The weighted mean of the own row and of those left that are whole."""
    counted = [j for j in left if j == 0 or whole(x[j])]
    total = sum(weights[j] for j in counted)
    return [sum(weights[j] * x[j][d] for j in counted) / total for d in range(len(x[0]))]
