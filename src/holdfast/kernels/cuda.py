"""The kernels on CUDA, in Triton: one program a block of columns, which it reads once.

No two programs write to the same place and every sum has a fixed order, so results are the same on every run. With
``TRITON_INTERPRET=1`` in the environment before the first import the same kernels run on the CPU, slowly, for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

from holdfast.kernels.ranks import Ranks

__all__ = ["combined", "ordered", "present_mean", "squared_distances", "squared_lengths"]

Kernel = Callable[..., Any]

THREAD_BYTES = 512
"""How many bytes of values one thread can hold: up to here it sorts a column on its own, without exchanging values."""
THREADS = 128
"""How many threads, and columns, a program has where each thread has a column of its own."""
TILE_BYTES = 2**15
"""How many bytes of values a program's threads hold together where a column is more than one of them can hold."""
COLUMNS = 1024
"""How many columns a program of a weighted sum takes."""
STEPS = 32
"""How many squares are added in the precision of the rows before they are added in float64."""
PARTIAL_SUMS = 2**23
"""How many partial sums of distances are kept at once."""


_compiled: Callable[[Kernel], Any] = triton.jit
_compiled_for_any_width: Callable[[Kernel], Any] = triton.jit(do_not_specialize=["D"])
"""Where the compiler may not ask what divides D it loads single values, so each thread gets a column of its own."""


def _launch(kernel: Any, programs: int, *args: Any, **options: Any) -> None:
    with torch.cuda.device_of(args[0]):
        kernel[(programs,)](*args, **options)


# ---------------------------------------------------------------- order statistics of each coordinate


def ordered(x_GMD: Tensor, mix_GQM: Tensor | None, ranks: Ranks) -> Tensor:
    """The mean of some ranks of each coordinate, or of the values nearest to it; see `kernels.ordered`."""
    groups, rows, D = x_GMD.shape
    slots = triton.next_power_of_2(max(1, ranks.rows))
    alone = slots * x_GMD.element_size() <= THREAD_BYTES
    block = THREADS if alone else max(1, TILE_BYTES // (slots * x_GMD.element_size()))
    blocks = triton.cdiv(D, block)
    mix_GMQ = x_GMD[:0] if mix_GQM is None else pad(mix_GQM.to(x_GMD).mT, (0, slots - ranks.rows)).contiguous()
    table = torch.from_numpy(np.stack([ranks.low, ranks.high, ranks.keep])).to(x_GMD.device, torch.int32)
    out = x_GMD.new_empty(groups, D)
    _launch(
        _ordered, groups * blocks, x_GMD, mix_GMQ, table, out, rows, D, ranks.rows, blocks,
        MIXED=mix_GQM is not None, NEAREST=bool(ranks.keep.any()), MOST=ranks.rows if alone else slots,
        SLOTS=slots, BLOCK=block, num_warps=4 if alone else 16,
    )  # fmt: skip
    return out


@_compiled_for_any_width
def _ordered(
    x: tl.tensor,
    mix: tl.tensor,
    ranks: tl.tensor,
    out: tl.tensor,
    rows: tl.tensor,
    D: tl.tensor,
    present: tl.tensor,
    blocks: tl.tensor,
    MIXED: tl.constexpr,
    NEAREST: tl.constexpr,
    MOST: tl.constexpr,
    SLOTS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Sort a tile of slots times columns, in which inf stands for what is missing.

    ``MOST`` bounds the values present at compile time: the compiler leaves out what compares only the slots above.
    """
    program = tl.program_id(0)
    group, start = (program // blocks).to(tl.int64), (program % blocks).to(tl.int64) * BLOCK
    column, slot = start + tl.arange(0, BLOCK), tl.arange(0, SLOTS)[:, None]
    filled = (slot < MOST) & (slot < present)
    x += group * rows * D
    if MIXED:
        y = _mixed(x, mix + group * rows * SLOTS, rows, D, column, SLOTS, BLOCK)
    else:
        y = tl.load(x + slot.to(tl.int64) * D + column[None, :], mask=filled & (column < D)[None, :], other=0)
    filled &= tl.abs(y) < float("inf")
    count = tl.sum(filled.to(tl.int32), 0)
    y = _sorted(tl.where(filled, y, float("inf")), SLOTS)
    low, high = tl.load(ranks + count), tl.load(ranks + present + 1 + count)
    mean = _mean(y, slot, low, high, MOST)
    if NEAREST:
        keep = tl.load(ranks + 2 * (present + 1) + count)
        first = _nearest(y, slot, count, keep, mean)
        mean = tl.where(keep > 0, _mean(y, slot, first, first + keep, MOST), mean)
    tl.store(out + group * D + column, mean.to(y.dtype), mask=column < D)


@_compiled
def _mixed(
    x: tl.tensor,
    mix: tl.tensor,
    rows: tl.tensor,
    D: tl.tensor,
    column: tl.tensor,
    SLOTS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """The mixed rows of a block; a row of weight 0 is not touched, whatever it holds."""
    y = tl.zeros((SLOTS, BLOCK), x.dtype.element_ty)
    for _ in range(rows):
        weight = tl.load(mix + tl.arange(0, SLOTS))[:, None]
        value = tl.load(x + column, mask=column < D, other=0)[None, :]
        y = tl.where(weight != 0, y + weight * value, y)
        x += D
        mix += SLOTS
    return y


@_compiled
def _sorted(y: tl.tensor, SLOTS: tl.constexpr) -> tl.tensor:
    """The tile with its columns in order: runs of 2, 4, 8 … slots, each merged from two.

    All exchanges put the lesser value into the lower slot, so what fills the last slots stays there.

    Source: Batcher, "Sorting networks and their applications" (1968), the bitonic sorter.
    """
    for doubling in tl.static_range(1, 32):
        if 2**doubling <= SLOTS:
            y = _exchanged(y, 2**doubling, 1)
            for halving in tl.static_range(1, doubling):
                y = _exchanged(y, 2, 2 ** (doubling - 1 - halving))
    return y


@_compiled
def _exchanged(y: tl.tensor, PLACES: tl.constexpr, STEP: tl.constexpr) -> tl.tensor:
    """Put each of ``PLACES`` places, ``STEP`` slots long, in order with its mirror image.

    A thread that has a column of its own finds both in its registers: two instructions, no memory.
    """
    SLOTS: tl.constexpr = y.shape[0]
    BLOCK: tl.constexpr = y.shape[1]
    places = tl.reshape(y, (SLOTS // (PLACES * STEP), PLACES, STEP * BLOCK))
    mirrored = tl.flip(places, 1)
    upper = (tl.arange(0, PLACES) >= PLACES // 2)[None, :, None]
    return tl.reshape(tl.where(upper, tl.maximum(places, mirrored), tl.minimum(places, mirrored)), (SLOTS, BLOCK))


@_compiled
def _mean(y: tl.tensor, slot: tl.tensor, low: tl.tensor, high: tl.tensor, MOST: tl.constexpr) -> tl.tensor:
    """The mean of the slots low ≤ r < high of each column, in float64; 0 of none."""
    inside = (slot >= low[None, :]) & (slot < tl.minimum(high, MOST)[None, :])
    return tl.sum(tl.where(inside, y, 0).to(tl.float64), 0) / tl.maximum(high - low, 1)


@_compiled
def _nearest(y: tl.tensor, slot: tl.tensor, count: tl.tensor, keep: tl.tensor, centre: tl.tensor) -> tl.tensor:
    """Where the window of the ``keep`` values nearest to the centre starts: how many steps up pay, found by halving."""
    steps = tl.zeros_like(count)
    for halving in tl.static_range(1, 32):
        if 2**halving <= y.shape[0]:
            more = steps + y.shape[0] // 2**halving
            left, right = _at(y, slot, more - 1), _at(y, slot, more - 1 + keep)
            steps = tl.where((more + keep <= count) & (right - centre < centre - left), more, steps)
    return steps


@_compiled
def _at(y: tl.tensor, slot: tl.tensor, place: tl.tensor) -> tl.tensor:
    """The value in one slot of each column."""
    return tl.sum(tl.where(slot == place[None, :], y, 0), 0).to(tl.float64)


# ---------------------------------------------------------------- distances


def squared_distances(x_GMD: Tensor, other_GED: Tensor) -> Tensor:
    """Between all rows, the others and the origin; see `kernels.squared_distances`."""
    (groups, rows, D), others = x_GMD.shape, other_GED.shape[1]
    points = rows + others + 1
    tile, block = (8, 128) if points <= 64 else (16, 32)
    tiles = triton.cdiv(points, tile)
    columns = block * STEPS * max(1, triton.cdiv(D * groups * points**2, block * STEPS * PARTIAL_SUMS))
    chunks = triton.cdiv(D, columns)
    parts = torch.zeros(groups, chunks, points, points, dtype=torch.float64, device=x_GMD.device)
    _launch(
        _distances, groups * chunks * tiles**2, x_GMD, other_GED, parts, rows, others, D, tiles, chunks, columns,
        TILE=tile, BLOCK=block, STEPS=STEPS,
    )  # fmt: skip
    upper = parts.sum(1)
    return upper + upper.mT


@_compiled
def _distances(
    x: tl.tensor,
    other: tl.tensor,
    parts: tl.tensor,
    rows: tl.tensor,
    others: tl.tensor,
    D: tl.tensor,
    tiles: tl.tensor,
    chunks: tl.tensor,
    columns: tl.tensor,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
    STEPS: tl.constexpr,
) -> None:
    """Of one chunk of columns the squared distances between a tile of points and another one, i < j."""
    program = tl.program_id(0)
    task, pair = program // (tiles * tiles), program % (tiles * tiles)
    group, chunk = (task // chunks).to(tl.int64), (task % chunks).to(tl.int64)
    i, j = pair // tiles * TILE + tl.arange(0, TILE), pair % tiles * TILE + tl.arange(0, TILE)
    if pair // tiles <= pair % tiles:
        x += group * rows * D
        other += group * others * D
        near, far = _start(x, other, i, rows, D), _start(x, other, j, rows, D)
        total = tl.zeros((TILE, TILE), tl.float64)
        for start in range(chunk * columns, tl.minimum((chunk + 1) * columns, D), BLOCK * STEPS):
            squares = tl.zeros((TILE, TILE, BLOCK), x.dtype.element_ty)
            for step in range(STEPS):
                column = start + step * BLOCK + tl.arange(0, BLOCK)
                inside = (column < D)[None, :]
                p = tl.load(near + column[None, :], mask=(i < rows + others)[:, None] & inside, other=0)
                q = tl.load(far + column[None, :], mask=(j < rows + others)[:, None] & inside, other=0)
                gap = p[:, None, :] - q[None, :, :]
                squares += gap * gap
            total += tl.sum(squares, 2).to(tl.float64)
        points = rows + others + 1
        place = parts + ((group * chunks + chunk) * points + i[:, None]) * points + j[None, :]
        tl.store(place, total, mask=(i[:, None] < j[None, :]) & (j < points)[None, :])


@_compiled
def _start(x: tl.tensor, other: tl.tensor, point: tl.tensor, rows: tl.tensor, D: tl.tensor) -> tl.tensor:
    """Where the values of each point start, in the rows or in the others."""
    point = point.to(tl.int64)[:, None]
    return tl.where(point < rows, x + point * D, other + (point - rows) * D)


def squared_lengths(x_GMD: Tensor, centre_GED: Tensor) -> Tensor:
    """From a centre, or from the origin where there is none, row by row; see `kernels.squared_lengths`."""
    centre_GD = centre_GED.sum(1)
    rows = (row_GD - centre_GD if centre_GED.shape[1] else row_GD for row_GD in x_GMD.unbind(1))
    lengths = [torch.linalg.vector_norm(row_GD, dim=-1, dtype=torch.float64) for row_GD in rows]
    return torch.stack(lengths, dim=-1).square()


# ---------------------------------------------------------------- weighted sums


def combined(x_GMD: Tensor, weights_GM: Tensor) -> Tensor:
    """Σ_i w_i x_i without touching a row of weight 0; see `kernels.combined`."""
    return _by_weight(x_GMD, weights_GM, present=False)


def present_mean(x_GMD: Tensor, weights_GM: Tensor) -> Tensor:
    """The weighted mean of what is finite; see `kernels.present_mean`."""
    return _by_weight(x_GMD, weights_GM, present=True)


def _by_weight(x_GMD: Tensor, weights_GM: Tensor, present: bool) -> Tensor:
    groups, rows, D = x_GMD.shape
    weights_GM = weights_GM.to(x_GMD.device, torch.float64).contiguous()
    out, blocks = x_GMD.new_empty(groups, D), triton.cdiv(D, COLUMNS)
    _launch(_weighed, groups * blocks, x_GMD, weights_GM, out, rows, D, blocks, PRESENT=present, BLOCK=COLUMNS)
    return out


@_compiled
def _weighed(
    x: tl.tensor,
    weights: tl.tensor,
    out: tl.tensor,
    rows: tl.tensor,
    D: tl.tensor,
    blocks: tl.tensor,
    PRESENT: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    program = tl.program_id(0)
    group, start = (program // blocks).to(tl.int64), (program % blocks).to(tl.int64) * BLOCK
    column = start + tl.arange(0, BLOCK)
    x += group * rows * D
    weights += group * rows
    total, shares = tl.zeros((BLOCK,), tl.float64), tl.zeros((BLOCK,), tl.float64)
    for i in range(rows):
        weight = tl.load(weights + i)
        end = tl.where(weight != 0, D, 0)  # a row of weight 0 is not touched, whatever it holds
        value = tl.load(x + column, mask=column < end, other=0).to(tl.float64)
        if PRESENT:
            there = tl.abs(value) < float("inf")
            value = tl.where(there, value, 0)
            shares += tl.where(there, weight, 0)
        total += weight * value
        x += D
    if PRESENT:
        total = tl.where(shares > 0, total / shares, 0)
    tl.store(out + group * D + column, total.to(out.dtype.element_ty), mask=column < D)
