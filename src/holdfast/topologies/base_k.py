"""The Base-(k+1) graph, which averages exactly in finite time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import networkx as nx
import numpy as np
from pydantic import Field

from holdfast.topologies.base import Weighted
from holdfast.topologies.mixing import linked
from holdfast.types import FloatArray, IntArray

__all__ = ["BaseK"]

Links = tuple[IntArray, FloatArray]
"""(E, 2) the links of a round and (E,) their weights."""


class BaseK(Weighted):
    """The Base-(k+1) graph: a few sparse graphs in turn, after which all nodes hold the exact mean, for any number N.

    W_P ⋯ W_2 W_1 = 1 1ᵀ / N,  where round t mixes by W_((t - 1) mod P + 1) and each node has at most k neighbours

    Each W is symmetric and doubly stochastic, and P ≤ 2 log_(k+1) N + 2. Where N has no prime factor above k + 1, the
    nodes are the corners of a box whose sides are factors of N, and each round takes the means along one direction.
    Any other N is written in base k + 1: (1) the group of each digit takes its own mean; (2) group by group, the
    larger first, every node of the smaller groups trades with one node in each part of a larger one, so much that the
    smaller groups end at the mean of all, and each part of the larger one with it in sum; (3) the parts take their
    means. The factors of N up to k + 1 are split off first where that takes fewer rounds.

    Example:
        >>> W = np.eye(5)
        >>> for round in range(1, BaseK().period(5) + 1):
        ...     W = BaseK().weights(BaseK().graph(round, 5, seed=1)) @ W
        >>> bool(np.allclose(W, 1 / 5))
        True

    Source: Takezawa et al., "Beyond exponential graph: communication-efficient topologies for decentralized learning
    via finite-time convergence", 2023, Algorithms 1 to 3.
    """

    changes: ClassVar[bool] = True

    k: int = Field(1, ge=1, description="with how many others a node exchanges in a round at most, in nodes")

    def period(self, nodes: int) -> int:
        """P, after how many rounds, the first of them round 1, all nodes hold the mean."""
        return len(_turns(nodes, self.k))

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The graph whose turn it is; a single node has no links."""
        turns = _turns(nodes, self.k)
        return linked(nodes, *turns[(round - 1) % len(turns)]) if turns else nx.empty_graph(nodes)


@lru_cache(maxsize=8)
def _turns(nodes: int, k: int) -> Sequence[Links]:
    """The links of the Base-(k+1) graph, an entry for each round (Algorithm 3)."""
    factors, rest = _factors(nodes, k)
    rows = rest * np.arange(nodes // rest)
    within = [
        ((links + rows[:, None, None]).reshape(-1, 2), np.tile(weights, len(rows)))
        for links, weights in _simple(rest, k)
    ]
    across = _means(np.arange(nodes).reshape(-1, rest).T.ravel(), factors)
    return min(within + across, _simple(nodes, k), key=len)


def _factors(number: int, k: int) -> tuple[list[int], int]:
    """Factors from 2 to k + 1 as large as can be, in ascending order, and what is left of the number beside them."""
    found = []
    for factor in range(k + 1, 1, -1):
        while number % factor == 0:
            found.append(factor)
            number //= factor
    return found[::-1], number


def _means(nodes_V: IntArray, factors: Sequence[int]) -> list[Links]:
    """The rounds in which each block of ∏ factors of the nodes takes its mean, a factor a round (Algorithm 1)."""
    rounds, stride = [], 1
    for factor in factors:
        rounds.append(_cliques(nodes_V.reshape(-1, factor, stride).swapaxes(1, 2).reshape(-1, factor)))
        stride *= factor
    return rounds


def _cliques(groups_GF: IntArray) -> Links:
    """The links by which the F nodes of each group take their mean."""
    first, second = np.triu_indices(groups_GF.shape[1], 1)
    links = np.stack([groups_GF[:, first], groups_GF[:, second]], axis=-1).reshape(-1, 2)
    return links, np.full(len(links), 1 / max(1, groups_GF.shape[1]))


def _simple(nodes: int, k: int) -> list[Links]:
    """The rounds of the Simple Base-(k+1) graph (Algorithm 2)."""
    factors, rest = _factors(nodes, k)
    if rest == 1:
        return _means(np.arange(nodes), factors)
    groups = _groups(nodes, k + 1)
    whole = [_means(group.ravel(), _factors(group.size, k)[0]) for group in groups]
    # A part of one node has nothing to average; the idle group then takes its own mean, which changes nothing.
    sizes = [group.shape[1] if group.shape[1] > 1 else group.size for group in groups]
    parts = [_means(group.ravel(), _factors(size, k)[0]) for group, size in zip(groups, sizes, strict=True)]
    first = [_joined([_turn(rounds, t) for rounds in whole]) for t in range(len(whole[0]))]
    last = len(groups) - 1
    trades = [_joined([*_trade(groups[t:], k), *(_turn(rounds, t) for rounds in parts[:t])]) for t in range(last)]
    means = [_joined([_turn(rounds, t) for rounds in parts]) for t in range(last, len(parts[0]) + 1)]
    return first + trades + means


def _groups(nodes: int, base: int) -> list[IntArray]:
    """For each digit a ≠ 0 of the number of nodes, the highest first, its nodes as a parts of base^p."""
    groups, start, size = [], 0, base
    while size * base <= nodes:
        size *= base
    while start < nodes:
        parts = (nodes - start) // size
        if parts:
            groups.append(np.arange(start, start + parts * size).reshape(parts, size))
        start, size = start + parts * size, size // base
    return groups


def _trade(groups: Sequence[IntArray], k: int) -> list[Links]:
    """Every node of the smaller groups trades with one of each part of the first; its idle nodes take means."""
    host_AS, smaller = groups[0], np.concatenate([group.ravel() for group in groups[1:]])
    hosts_AR = host_AS[:, : len(smaller)]
    links = np.stack([np.broadcast_to(smaller, hosts_AR.shape), hosts_AR], axis=-1).reshape(-1, 2)
    share = host_AS.shape[1] / (host_AS.size + len(smaller))
    idle = host_AS[:, len(smaller) :].ravel()
    full = len(idle) // (k + 1) * (k + 1)
    return [(links, np.full(len(links), share)), _cliques(idle[:full].reshape(-1, k + 1)), _cliques(idle[None, full:])]


def _turn(rounds: Sequence[Links], turn: int) -> Links:
    """One of the rounds, again and again in order."""
    return rounds[turn % len(rounds)] if rounds else (np.zeros((0, 2), dtype=np.int64), np.zeros(0))


def _joined(links: Sequence[Links]) -> Links:
    """The links of several groups in one round."""
    return np.concatenate([one for one, _ in links]), np.concatenate([weights for _, weights in links])
