"""Smallest maximum eigenvalue averaging: the mean of the rows that vary least in any direction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice
from math import comb

import torch
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.spectrum import centred
from holdfast.errors import InputError
from holdfast.types import State

__all__ = ["SmallestVariance"]

MOST_SUBSETS = 100_000
"""How many subsets are tried at most: this takes some seconds."""
AT_ONCE = 1024
"""How many subsets are tried together."""
TIE = 1e-9
"""Variances that differ by less than this part of them are a tie: their order is that of rounding."""


class SmallestVariance(Robust, Weighing):
    """The mean of the n - f rows whose covariance has the least top eigenvalue.

    SMEA = μ_S,  S = argmin_{|S| = n - f} λ_max(1 / |S| · Σ_{i ∈ S} (x_i - μ_S)(x_i - μ_S)ᵀ)

    where μ_S is the mean of the rows of S. A tie, to nine digits, goes to the subset that comes first in lexicographic
    order. Rows that are not finite count among the f to be left out; where more than f are not finite, the result is
    the mean of all others. Weights are ignored, since a liar states its own. The breakdown point is 1/2. Costs O(M² ·
    D) to read the distances once, and C(n, f) eigenvalue problems of n - f rows: at most 100,000 of them are tried,
    which takes some seconds.

    Raises:
        InputError: when called on fewer than 2f + 1 rows, or on so many that C(n, f) is above 100,000.

    Example:
        >>> SmallestVariance(f=1)(torch.tensor([[0.0, 0.0], [9.0, 9.0], [1.0, 0.0], [0.0, 1.0]]))
        tensor([0.3333, 0.3333])

    Reference:
        Allouah et al., "On the Privacy-Robustness-Utility Trilemma in Distributed Learning" (ICML 2023).
    """

    def check(self, rows: int) -> None:
        """Refuse a number of rows with which the rule cannot keep its promise, or would not end.

        Raises:
            InputError: fewer than `least` rows, or too many subsets.
        """
        super().check(rows)
        if comb(rows, self.f) > MOST_SUBSETS:
            required = f"leave {self.component_name()} at most {MOST_SUBSETS:,} subsets of n - f rows to try"
            given = f"f={self.f} with {rows} rows, which have {comb(rows, self.f):,}"
            raise InputError("f", required, given, "Use fewer rows, a smaller f, or minimum_diameter or caf.")

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal weights on the rows that vary least, or on all finite ones if too few."""
        squared_MM, whole_M = rows.geometry.between_MM, rows.geometry.whole_M
        chosen_M = whole_M | ~whole_M.any(-1, keepdim=True)
        least = torch.full_like(squared_MM[..., 0, 0], torch.inf)
        for subsets_SH in _subsets(rows.rows, rows.rows - self.f):
            subsets_SH = subsets_SH.to(squared_MM.device)
            variance_S = _variances(squared_MM, subsets_SH)
            first = (variance_S <= variance_S.amin(-1, keepdim=True) * (1 + TIE)).byte().argmax(-1)
            variance = variance_S.gather(-1, first.unsqueeze(-1)).squeeze(-1)
            better = variance < least * (1 - TIE)
            best_M = torch.zeros_like(chosen_M).scatter(-1, subsets_SH[first], True)
            chosen_M, least = best_M.where(better.unsqueeze(-1), chosen_M), variance.where(better, least)
        return state, chosen_M / chosen_M.sum(-1, keepdim=True, dtype=squared_MM.dtype)


def _subsets(rows: int, count: int) -> Iterator[Tensor]:
    """(S, count) the subsets in lexicographic order, some at a time."""
    every = combinations(range(rows), count)
    while some := list(islice(every, AT_ONCE)):
        yield torch.tensor(some)


def _variances(squared_MM: Tensor, subsets_SH: Tensor) -> Tensor:
    """(…, S) the greatest variance of each subset in any direction; inf where a row is not finite."""
    squared_SHH = squared_MM[..., subsets_SH.unsqueeze(-1), subsets_SH.unsqueeze(-2)]
    equal_H = squared_MM.new_full((subsets_SH.shape[-1],), 1 / subsets_SH.shape[-1])
    whole_S = squared_SHH.diagonal(dim1=-2, dim2=-1).isfinite().all(-1)
    variance_S: Tensor = torch.linalg.eigvalsh(centred(squared_SHH, equal_H))[..., -1].clamp(min=0)
    return variance_S.where(whole_S, torch.inf)
