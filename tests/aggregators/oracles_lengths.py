"""The rules that go by lengths, signs and groups once more, slowly: plain Python on lists of float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from .oracles import Rows, median, normal_rows, squared_distance, whole


def with_liars(seed: int, f: int, lie: float) -> tuple[torch.Tensor, torch.Tensor]:
    """f + 2 honest rows, and all rows: f that lie first, all in one direction and that many times as long."""
    honest_HD, lies_BD = normal_rows(seed, f + 2, 4), normal_rows(seed + 1, 4).expand(f, -1)
    return honest_HD, torch.cat([lie * lies_BD, honest_HD])


def length(row: Sequence[float]) -> float:
    return math.dist(row, [0.0] * len(row)) if whole(row) else math.inf


def clipped(row: Sequence[float], most: float) -> list[float]:
    if not whole(row):
        return [0.0] * len(row)
    return [value * most / length(row) if length(row) > most else value for value in row]


def mean(x: Rows, weights: Sequence[float] | None = None) -> list[float]:
    weights = weights or [1.0] * len(x)
    return [sum(w * row[d] for w, row in zip(weights, x, strict=True)) / sum(weights) for d in range(len(x[0]))]


def mean_of_whole(x: Rows) -> list[float]:
    return mean([row for row in x if whole(row)] or x)


def arc(x: Rows, f: int) -> list[list[float]]:
    """Each row is compared with the next longest after the k longest, which may itself be infinitely long."""
    longest = sorted((length(row) for row in x), reverse=True)
    return [clipped(row, longest[math.floor(2 * f * (len(x) - f) / len(x))]) for row in x]


def cge(x: Rows, f: int) -> list[float]:
    order = sorted(range(len(x)), key=lambda i: (length(x[i]), i))
    return mean_of_whole([x[i] for i in order[: len(x) - f]])


def aksel(x: Rows, count: int) -> list[float]:
    middle = median(x, upper=False)
    order = sorted(range(len(x)), key=lambda i: (squared_distance(x[i], middle), i))
    return mean_of_whole([x[i] for i in order[:count]])


def centered_clipping(x: Rows, v: Sequence[float], tau: float, iterations: int) -> list[float]:
    for _ in range(iterations):
        steps = [clipped([a - b for a, b in zip(row, v, strict=True)], tau) for row in x]
        v = [b + step for b, step in zip(v, mean(steps), strict=True)]
    return list(v)


def sign_majority(x: Rows, step: float) -> list[float]:
    result = []
    for d in range(len(x[0])):
        votes = [row[d] for row in x if math.isfinite(row[d])]
        lead = sum(value > 0 for value in votes) - sum(value < 0 for value in votes)
        result.append(math.copysign(step, lead) if lead else 0.0)
    return result


def bucketing(x: Rows, groups: Sequence[Sequence[int]]) -> list[list[float]]:
    result = [mean_of_whole([x[i] for i in group]) for group in groups]
    return [row if whole(row) else [math.nan] * len(row) for row in result]
