"""Minimum-diameter averaging: the mean of the rows that lie closest together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import mean_of
from holdfast.types import BoolArray, FloatArray, State

__all__ = ["MinimumDiameter"]

MOST_F = 32
"""The greatest f: the hardest inboxes that we found then take seconds, and with each one more a quarter longer."""


class MinimumDiameter(Robust, Weighing):
    """The mean of the n - f rows of least diameter.

    MDA = 1 / (n - f) · Σ_{i ∈ S} x_i,  S = argmin_{|S| = n - f} max_{i,j ∈ S} ‖x_i - x_j‖

    Also known as brute. A tie goes to the subset that comes first in lexicographic order. Rows that are not finite
    count among the f to be left out; where more than f are not finite, the result is the mean of all others. Weights
    are ignored, since a liar states its own. The breakdown point is 1/2. Costs O(M² · D) to read the distances once,
    and a search that is exact: bisection over the distances for the least diameter at which some f rows cover every
    pair that is further apart, a vertex cover that branching finds in O(1.47^f · M²) steps instead of C(n, f).

    Raises:
        InputError: f is above 32, where the search might not end; when called on fewer than 2f + 1 rows.

    Example:
        >>> MinimumDiameter(f=1)(torch.tensor([[0.0, 0.0], [9.0, 9.0], [1.0, 0.0], [0.0, 1.0]]))
        tensor([0.3333, 0.3333])

    Reference:
        El Mhamdi et al., "Genuinely Distributed Byzantine Machine Learning" (PODC 2020), as MDA; Chen,
        Kanj & Xia, "Improved upper bounds for vertex cover" (Theoretical Computer Science, 2010), for better searches.
    """

    f: int = Field(1, ge=0, le=MOST_F, description="how many Byzantine rows the rule must tolerate, at most 32")

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal weights on the closest rows."""
        squared_MM = rows.geometry.between_MM
        inboxes = squared_MM.reshape(-1, rows.rows, rows.rows).cpu().numpy()
        chosen_GM = torch.from_numpy(np.stack([_closest(inbox_MM, rows.rows - self.f) for inbox_MM in inboxes]))
        chosen_M = chosen_GM.to(squared_MM.device).reshape(squared_MM.shape[:-1])
        return state, mean_of(chosen_M, squared_MM.diagonal(dim1=-2, dim2=-1))


def _closest(squared_MM: FloatArray, count: int) -> BoolArray:
    """(M,) which rows make the subset of least diameter among those that are finite; every row where none is."""
    whole = np.flatnonzero(np.isfinite(squared_MM.diagonal()))
    count, squared_HH = min(count, len(whole)), squared_MM[np.ix_(whole, whole)]
    chosen_M = np.full(len(squared_MM), not len(whole))
    if count:
        diameters = np.unique(squared_HH)
        everyone, spare = (1 << len(whole)) - 1, len(whole) - count
        at = bisect_left(diameters, True, key=lambda least: _coverable(_apart(squared_HH > least), everyone, spare))
        chosen_M[whole[_first(_apart(squared_HH > diameters[at]), count)]] = True
    return chosen_M


def _apart(further_HH: BoolArray) -> list[int]:
    """For each row a set, as the bits of a number: the rows that are too far from it."""
    return [int.from_bytes(bits.tobytes(), "little") for bits in np.packbits(further_HH, axis=1, bitorder="little")]


def _rows(bits: int) -> Iterator[int]:
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1


def _coverable(apart: list[int], among: int, spare: int) -> bool:
    """Whether ``among`` has no two rows apart once some ``spare`` of them are left out.

    Of a row and the rows apart from it, either the one is left out or all the others. With a single other, leaving
    that out is never worse; where nobody has more than two, only rings are left, and any row of a ring will do. So
    the search branches only at rows with three or more.
    """
    degrees = {row: (apart[row] & among).bit_count() for row in _rows(among)}
    most = max(degrees, key=degrees.__getitem__, default=0)
    greatest = degrees.get(most, 0)
    if spare < 0 or sum(degrees.values()) > 2 * spare * greatest:
        return False
    if greatest == 0:
        return True
    single = next((row for row, degree in degrees.items() if degree == 1), None)
    if single is not None:
        return _coverable(apart, among & ~apart[single], spare - 1)
    if _coverable(apart, among & ~(1 << most), spare - 1):
        return True
    return greatest > 2 and _coverable(apart, among & ~apart[most], spare - greatest)


def _first(apart: list[int], count: int) -> list[int]:
    """The first ``count`` rows in lexicographic order of which no two are apart, where there are so many."""
    chosen: list[int] = []
    among, spare = (1 << len(apart)) - 1, len(apart) - count
    for row in range(len(apart)):
        if len(chosen) < count and among >> row & 1:
            among ^= 1 << row
            lost = (among & apart[row]).bit_count()
            if _coverable(apart, among & ~apart[row], spare - lost):
                chosen, among, spare = [*chosen, row], among & ~apart[row], spare - lost
            else:
                spare -= 1
    return chosen
