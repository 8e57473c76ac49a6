"""The rules that try subsets, or walk to a point, once more: every subset in turn, and a general minimiser."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
from scipy import optimize

from .oracles import Rows, squared_distance, whole


def mean_of(x: Rows, chosen: tuple[int, ...]) -> list[float]:
    return [sum(x[i][d] for i in chosen) / len(chosen) for d in range(len(x[0]))]


def first_least(x: Rows, count: int, cost: Callable[[tuple[int, ...]], float]) -> list[float]:
    """The mean of the first subset, up to rounding, of least cost among the rows that are finite."""
    finite = [i for i, row in enumerate(x) if whole(row)]
    if not finite:
        return mean_of(x, tuple(range(len(x))))
    subsets = list(combinations(finite, min(count, len(finite))))
    costs = [cost(subset) for subset in subsets]
    best = min(costs) * (1 + 1e-9) + 1e-12
    return mean_of(x, next(subset for subset, c in zip(subsets, costs, strict=True) if c <= best))


def minimum_diameter(x: Rows, f: int) -> list[float]:
    def diameter(subset: tuple[int, ...]) -> float:
        return max(squared_distance(x[i], x[j]) for i in subset for j in subset)

    return first_least(x, len(x) - f, diameter)


def smallest_variance(x: Rows, f: int) -> list[float]:
    def variance(subset: tuple[int, ...]) -> float:
        rows = np.array([x[i] for i in subset])
        rows = rows - rows.mean(0)
        return float(np.linalg.norm(rows, 2)) ** 2 / len(subset)

    return first_least(x, len(x) - f, variance)


def sum_of_distances(x: Rows, point: np.ndarray) -> float:
    return sum(math.dist(row, point) for row in x if whole(row))


def least_sum_of_distances(x: Rows) -> float:
    """Over all points, started from each row, which itself may be the best."""
    found = []
    for row in (row for row in x if whole(row)):
        start = np.array(row) + 0.1
        result = optimize.minimize(lambda z: sum_of_distances(x, z), start, method="Nelder-Mead", tol=1e-9)
        found += [sum_of_distances(x, np.array(row)), float(result.fun)]
    return min(found)
