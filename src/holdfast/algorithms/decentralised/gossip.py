"""Randomised pairwise gossip."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import sparse

from holdfast.algorithms.base import Links
from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.seeding import uniform
from holdfast.types import FloatArray, IntArray

__all__ = ["Gossip"]


class Gossip(DSGD):
    r"""Randomised gossip: in each round the nodes pair off at random along the graph's links, and average in pairs.

    Every link draws a number, and the one with the least pairs its ends, then the next whose ends are both free, until
    no link has two free ends; all others are silent in this round. A pair i, j takes

    .. math:: x_i^+ = x_j^+ = \tfrac{1}{2} (x_i + x_j)

    before or after their gradient steps, as in `dsgd`; who has no partner only steps. A node sends one row at most.

    Source: Boyd, Ghosh, Prabhakar & Shah 2006, "Randomized Gossip Algorithms", with as many pairs at a time as there
    may be; Lian et al. 2018 for the gradient steps between.

    Example:
        >>> Gossip().links(sparse.csr_array(np.full((2, 2), 0.25)), 1, 1).toarray().tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """

    needs: ClassVar[Links] = "both ways"

    def links(self, W_NN: sparse.csr_array, round: int, seed: int) -> sparse.csr_array:
        """The pairs of a round, and everybody's own row."""
        size = W_NN.shape[0]
        i_E, j_E = sparse.triu(W_NN, k=1, format="coo").coords
        i_E, j_E = i_E.astype(np.int64), j_E.astype(np.int64)
        chosen = _matching(i_E, j_E, uniform(seed, "gossip", i_E, j_E, round), size)
        i, j = i_E[chosen], j_E[chosen]
        partner_N = np.arange(size)
        partner_N[i], partner_N[j] = j, i
        pairs = sparse.csr_array((np.full(size, 0.5), (np.arange(size), partner_N)), shape=(size, size))
        return sparse.csr_array(sparse.eye_array(size) / 2 + pairs)


def _matching(i_E: IntArray, j_E: IntArray, draws_E: FloatArray, size: int) -> IntArray:
    """The links that come before all others at both ends, again and again among those whose ends are free."""
    left, found = np.argsort(draws_E, kind="stable"), [np.zeros(0, dtype=np.int64)]
    while len(left):
        first_N = np.full(size, len(left))
        place = np.arange(len(left))
        np.minimum.at(first_N, i_E[left], place)
        np.minimum.at(first_N, j_E[left], place)
        best = left[(first_N[i_E[left]] == place) & (first_N[j_E[left]] == place)]
        found.append(best)
        taken = np.concatenate([i_E[best], j_E[best]])
        left = left[~(np.isin(i_E[left], taken) | np.isin(j_E[left], taken))]
    return np.concatenate(found)
