"""The rules that look along the direction of greatest variance, once more, in the space of the rows itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .oracles import Rows, whole

Floats = NDArray[Any]


def top(rows: Floats, weights: Floats) -> tuple[float, Floats]:
    """The greatest variance in any direction, and the squared distance of each row to the mean along it."""
    total = weights.sum()
    mean = (weights[:, None] * rows).sum(0) / total
    covariance = sum(w * np.outer(row - mean, row - mean) for w, row in zip(weights, rows, strict=True)) / total
    values, vectors = np.linalg.eigh(covariance)
    return values[-1], ((rows - mean) @ vectors[:, -1]) ** 2


def caf(x: Rows, f: int) -> list[float]:
    rows = np.array([row for row in x if whole(row)])
    weights = np.ones(len(rows))
    best, least = weights, math.inf
    while weights.sum() > len(x) - 2 * f:
        variance, out = top(rows, weights)
        if variance < least:
            best, least = weights, variance
        out = np.where(weights > 0, out, 0)
        weights = weights * (1 - out / out.max())
    return list((best[:, None] * rows).sum(0) / best.sum())


def dnc(x: Rows, dropped: int) -> list[float]:
    """With all coordinates in the sample."""
    finite = [i for i, row in enumerate(x) if whole(row)]
    rows = np.array([x[i] for i in finite])
    direction = np.linalg.svd(rows - rows.mean(0))[2][0]
    out = ((rows - rows.mean(0)) @ direction) ** 2
    kept = [i for _, i in sorted(zip(out, range(len(rows)), strict=True))][: len(x) - dropped]
    return list(rows[kept].mean(0))


def fltrust(x: Rows, v: list[float]) -> list[float]:
    result, total, own = [0.0] * len(v), 0.0, math.hypot(*v)
    for row in x:
        length = math.hypot(*row)
        cosine = sum(a * b for a, b in zip(row, v, strict=True)) / (length * own) if length * own else 0.0
        if whole(row) and cosine > 0:
            total += cosine
            factor = cosine * own / length
            result = [r + factor * a for r, a in zip(result, row, strict=True)]
    return [r / total for r in result] if total else result
