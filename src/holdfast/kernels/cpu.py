"""The kernels on the CPU: numba over blocks of columns that fit the cache, threads over the blocks.

What a thread computes does not depend on how many of them there are, so results are the same on any number of cores.
The first call in a process compiles, or loads what an earlier process has compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from holdfast.kernels.machine import compiled, in_threads
from holdfast.kernels.ranks import Ranks
from holdfast.types import IntArray

__all__ = ["combined", "ordered", "present_mean", "squared_distances", "squared_lengths"]

Floats = NDArray[Any]
WeightKernel = Callable[[Floats, Floats, int, int, Floats], None]

CACHE_BYTES = 2**15
"""How much of a block of columns should fit the innermost cache, in bytes."""
TASK_COLUMNS = 2**16
"""How many columns one task takes, at most: a whole number of blocks."""
PARTIAL_SUMS = 2**23
"""How many partial sums of distances are kept at once."""
SUM_COLUMNS = 1024
"""How many columns are summed at once."""


def _width(rows: int, itemsize: int) -> int:
    """How many columns a block has."""
    return max(64, CACHE_BYTES // (rows * itemsize) // 64 * 64)


# ---------------------------------------------------------------- order statistics of each coordinate


def ordered(x_GMD: Tensor, mix_GQM: Tensor | None, ranks: Ranks) -> Tensor:
    """The mean of some ranks of each coordinate, or of the values nearest to it; see `kernels.ordered`."""
    x, out = x_GMD.numpy(), np.empty((x_GMD.shape[0], x_GMD.shape[2]), x_GMD.numpy().dtype)
    mix = np.empty((0, 0, 0), x.dtype) if mix_GQM is None else mix_GQM.to(x_GMD.dtype).contiguous().numpy()
    rows = x.shape[1] if mix_GQM is None else mix.shape[1]
    width = _width(rows, x.itemsize)
    columns = min(TASK_COLUMNS // width * width, max(width, -(-x.shape[2] // width) * width))
    chunks = max(1, -(-x.shape[2] // columns))

    def work(first: int, last: int) -> None:
        _ordered(
            x, mix, first, last, chunks, columns, width, ranks.some, ranks.all, ranks.low, ranks.high, ranks.keep, out
        )

    in_threads(work, x.shape[0] * chunks, x.size)
    return torch.from_numpy(out)


@compiled
def _ordered(
    x: Floats,
    mix: Floats,
    first: int,
    last: int,
    chunks: int,
    columns: int,
    width: int,
    some: IntArray,
    every: IntArray,
    low: IntArray,
    high: IntArray,
    keep: IntArray,
    out: Floats,
) -> None:
    rows = mix.shape[1] if mix.size else x.shape[1]
    block = np.empty((rows, width), x.dtype)
    for task in range(first, last):
        group, start = task // chunks, task % chunks * columns
        for c in range(start, min(start + columns, x.shape[2]), width):
            w = min(width, x.shape[2] - c)
            if mix.size:
                _mix(x[group], mix[group], c, w, block)
                missing = _count_missing(block, w)
            else:
                missing = _load(x[group], c, w, block)
            if missing == 0:
                _sort(block, some, w)
                _reduce(block, low, high, keep, w, out[group, c : c + w])
            else:
                _sort(block, every, w)
                _reduce_present(block, low, high, keep, w, out[group, c : c + w])


@compiled
def _load(x: Floats, start: int, w: int, block: Floats) -> int:
    """Copy w columns into the block, missing values as inf; how many are missing."""
    missing = 0
    for i in range(x.shape[0]):
        source, target = x[i, start : start + w], block[i]
        lost = 0
        for c in range(w):
            value = source[c]
            present = abs(value) < np.inf
            target[c] = value if present else np.inf
            lost += 0 if present else 1
        missing += lost
    return missing


@compiled
def _mix(x: Floats, mix: Floats, start: int, w: int, block: Floats) -> None:
    """Put the mixed rows of w columns into the block; a row of weight 0 is not touched, whatever it holds."""
    for q in range(mix.shape[0]):
        target = block[q]
        for c in range(w):
            target[c] = 0
        for i in range(x.shape[0]):
            weight = mix[q, i]
            if weight != 0:
                source = x[i, start : start + w]
                for c in range(w):
                    target[c] += weight * source[c]


@compiled
def _count_missing(block: Floats, w: int) -> int:
    missing = 0
    for q in range(block.shape[0]):
        target = block[q]
        lost = 0
        for c in range(w):
            present = abs(target[c]) < np.inf
            target[c] = target[c] if present else np.inf
            lost += 0 if present else 1
        missing += lost
    return missing


@compiled
def _sort(block: Floats, pairs: IntArray, w: int) -> None:
    for e in range(pairs.shape[0]):
        lower, upper = block[pairs[e, 0]], block[pairs[e, 1]]
        for c in range(w):
            a, b = lower[c], upper[c]
            lower[c] = a if a < b else b
            upper[c] = b if a < b else a


@compiled
def _reduce(block: Floats, low: IntArray, high: IntArray, keep: IntArray, w: int, out: Floats) -> None:
    """The mean of the ranks low ≤ r < high, or with ``keep`` of that many values nearest to it."""
    rows, centre = block.shape[0], np.zeros(w)
    for r in range(low[rows], high[rows]):
        row = block[r]
        for c in range(w):
            centre[c] += row[c]
    for c in range(w):
        centre[c] /= high[rows] - low[rows]
    if keep[rows] > 0:
        _nearest(block, int(keep[rows]), w, centre)
    for c in range(w):
        out[c] = centre[c]


@compiled
def _nearest(block: Floats, keep: int, w: int, centre: Floats) -> None:
    """Replace each centre by the mean of the ``keep`` values nearest to it: a window of the ordered ones.

    The window moves up while the value that it would take in is nearer than the one that it would leave; once it does
    not, it never does again, so its start is the number of steps that pay.
    """
    start = np.zeros(w)
    for r in range(block.shape[0] - keep):
        left, right = block[r], block[r + keep]
        for c in range(w):
            start[c] += 1.0 if right[c] - centre[c] < centre[c] - left[c] else 0.0
    total = np.zeros(w)
    for r in range(block.shape[0]):
        row = block[r]
        for c in range(w):
            total[c] += row[c] if (start[c] <= r) & (r < start[c] + keep) else 0.0
    for c in range(w):
        centre[c] = total[c] / keep


@compiled
def _reduce_present(block: Floats, low: IntArray, high: IntArray, keep: IntArray, w: int, out: Floats) -> None:
    """The same column by column, of as many values as each of them has; 0 where there is none."""
    for c in range(w):
        count = 0
        for r in range(block.shape[0]):
            count += 1 if block[r, c] < np.inf else 0
        if count == 0:
            out[c] = 0
            continue
        centre = 0.0
        for r in range(low[count], high[count]):
            centre += block[r, c]
        centre /= high[count] - low[count]
        width = keep[count]
        if width > 0:
            start = 0
            while start + width < count and block[start + width, c] - centre < centre - block[start, c]:
                start += 1
            centre = 0.0
            for r in range(start, start + width):
                centre += block[r, c]
            centre /= width
        out[c] = centre


# ---------------------------------------------------------------- distances


def squared_distances(x_GMD: Tensor, other_GED: Tensor) -> Tensor:
    """Between all rows, the others and the origin; see `kernels.squared_distances`."""
    x, other = x_GMD.numpy(), other_GED.numpy()
    groups, points, D = x.shape[0], x.shape[1] + other.shape[1] + 1, x.shape[2]
    columns = max(TASK_COLUMNS, -(-D * groups * points**2 // PARTIAL_SUMS))
    chunks = max(1, -(-D // columns))
    parts = np.zeros((groups, chunks, points, points))

    def work(first: int, last: int) -> None:
        _distances(x, other, first, last, chunks, columns, parts)

    in_threads(work, groups * chunks, x.size)
    upper = parts.sum(1)
    return torch.from_numpy(upper + upper.swapaxes(-1, -2))


@compiled
def _distances(x: Floats, other: Floats, first: int, last: int, chunks: int, columns: int, parts: Floats) -> None:
    for task in range(first, last):
        group, chunk = task // chunks, task % chunks
        stop = min((chunk + 1) * columns, x.shape[2])
        for c in range(chunk * columns, stop, 512):
            _add_distances(x[group], other[group], c, min(512, stop - c), parts[group, chunk])


@compiled
def _add_distances(x: Floats, other: Floats, start: int, w: int, total: Floats) -> None:
    rows, stop = x.shape[0], start + w
    points = rows + other.shape[0]
    for i in range(points):
        a = x[i, start:stop] if i < rows else other[i - rows, start:stop]
        total[i, points] += _squares(a)
        j = i + 1
        while j + 4 <= rows:
            near = _apart_from_four(
                a, x[j, start:stop], x[j + 1, start:stop], x[j + 2, start:stop], x[j + 3, start:stop]
            )
            for k in range(4):
                total[i, j + k] += near[k]
            j += 4
        while j < points:
            total[i, j] += _apart(a, x[j, start:stop] if j < rows else other[j - rows, start:stop])
            j += 1


@compiled
def _squares(a: Floats) -> float:
    total: float = a.dtype.type(0)
    for c in range(a.shape[0]):
        total += a[c] * a[c]
    return total


@compiled
def _apart(a: Floats, b: Floats) -> float:
    total: float = a.dtype.type(0)
    for c in range(a.shape[0]):
        gap = a[c] - b[c]
        total += gap * gap
    return total


@compiled
def _apart_from_four(a: Floats, b0: Floats, b1: Floats, b2: Floats, b3: Floats) -> tuple[float, float, float, float]:
    """Σ_c (a_c - b_c)² for four rows at once, so that each value of a is loaded once."""
    t0 = a.dtype.type(0)
    t1, t2, t3 = t0, t0, t0
    for c in range(a.shape[0]):
        value = a[c]
        g0, g1, g2, g3 = value - b0[c], value - b1[c], value - b2[c], value - b3[c]
        t0 += g0 * g0
        t1 += g1 * g1
        t2 += g2 * g2
        t3 += g3 * g3
    return t0, t1, t2, t3


def squared_lengths(x_GMD: Tensor, centre_GED: Tensor) -> Tensor:
    """From a centre, or from the origin where there is none; see `kernels.squared_lengths`."""
    x, centre = x_GMD.numpy(), centre_GED.numpy()
    chunks = max(1, -(-x.shape[2] // TASK_COLUMNS))
    parts = np.zeros((x.shape[0], chunks, x.shape[1]))

    def work(first: int, last: int) -> None:
        _lengths(x, centre, first, last, chunks, TASK_COLUMNS, parts)

    in_threads(work, x.shape[0] * chunks, x.size)
    return torch.from_numpy(parts.sum(1))


@compiled
def _lengths(x: Floats, centre: Floats, first: int, last: int, chunks: int, columns: int, parts: Floats) -> None:
    for task in range(first, last):
        group, chunk = task // chunks, task % chunks
        stop = min((chunk + 1) * columns, x.shape[2])
        for c in range(chunk * columns, stop, 512):
            end = min(c + 512, stop)
            for i in range(x.shape[1]):
                row = x[group, i, c:end]
                parts[group, chunk, i] += _apart(row, centre[group, 0, c:end]) if centre.shape[1] else _squares(row)


# ---------------------------------------------------------------- weighted sums


def combined(x_GMD: Tensor, weights_GM: Tensor) -> Tensor:
    """Σ_i w_i x_i without touching a row of weight 0; see `kernels.combined`."""
    return _by_weight(_combined, x_GMD, weights_GM)


def present_mean(x_GMD: Tensor, weights_GM: Tensor) -> Tensor:
    """The weighted mean of what is finite; see `kernels.present_mean`."""
    return _by_weight(_present_mean, x_GMD, weights_GM)


def _by_weight(kernel: WeightKernel, x_GMD: Tensor, weights_GM: Tensor) -> Tensor:
    x, weights = x_GMD.numpy(), weights_GM.double().contiguous().numpy()
    out = np.empty((x.shape[0], x.shape[2]), x.dtype)
    chunks = max(1, -(-x.shape[2] // TASK_COLUMNS))

    def work(first: int, last: int) -> None:
        for task in range(first, last):
            group, start = task // chunks, task % chunks * TASK_COLUMNS
            kernel(x[group], weights[group], start, min(start + TASK_COLUMNS, x.shape[2]), out[group])

    in_threads(work, x.shape[0] * chunks, x.size)
    return torch.from_numpy(out)


@compiled
def _combined(x: Floats, weights: Floats, start: int, stop: int, out: Floats) -> None:
    total, rows = np.empty(SUM_COLUMNS), np.flatnonzero(weights)
    for first in range(start, stop, SUM_COLUMNS):
        w = min(SUM_COLUMNS, stop - first)
        total[:] = 0
        i = 0
        while i < len(rows):
            if i + 4 <= len(rows):  # four at once, so that the sums are loaded and stored less often
                _add_four(x, weights, rows[i : i + 4], first, w, total)
                i += 4
            else:
                weight, row = weights[rows[i]], x[rows[i], first : first + w]
                for c in range(w):
                    total[c] += weight * row[c]
                i += 1
        target = out[first : first + w]
        for c in range(w):
            target[c] = total[c]


@compiled
def _add_four(x: Floats, weights: Floats, rows: IntArray, start: int, w: int, total: Floats) -> None:
    w0, w1, w2, w3 = weights[rows[0]], weights[rows[1]], weights[rows[2]], weights[rows[3]]
    stop = start + w
    x0, x1, x2, x3 = x[rows[0], start:stop], x[rows[1], start:stop], x[rows[2], start:stop], x[rows[3], start:stop]
    for c in range(w):
        total[c] += w0 * x0[c] + w1 * x1[c] + w2 * x2[c] + w3 * x3[c]


@compiled
def _present_mean(x: Floats, weights: Floats, start: int, stop: int, out: Floats) -> None:
    total, present = np.empty(SUM_COLUMNS), np.empty(SUM_COLUMNS)
    for first in range(start, stop, SUM_COLUMNS):
        w = min(SUM_COLUMNS, stop - first)
        total[:] = 0
        present[:] = 0
        for i in range(x.shape[0]):
            weight, row = weights[i], x[i, first : first + w]
            for c in range(w):
                there = abs(row[c]) < np.inf
                total[c] += weight * row[c] if there else 0.0
                present[c] += weight if there else 0.0
        target = out[first : first + w]
        for c in range(w):
            target[c] = total[c] / present[c] if present[c] > 0 else 0.0
