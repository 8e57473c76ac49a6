"""What becomes of a node's samples while it is gone: others work on them, and it takes them back when it returns.

Who works on what is a pure function of who is gone, so that every process can tell and nothing has to be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from holdfast.component import Settings
from holdfast.errors import InputError
from holdfast.seeding import address
from holdfast.types import IntArray

__all__ = ["HARDEST", "Assignment", "Cut", "Lost", "Recovery", "assign", "by_kind", "moved", "owned"]

HARDEST = "hardest"
"""What the samples that a node reports are called among what it sends."""
MOST_REPORTED = 200_000
"""How many samples all nodes together may report: those of nodes that are gone must fit into one statement."""

Lost = Mapping[int, tuple[int, ...]]
"""The nodes that are gone, each with the samples that it reported last, where it was to report any."""
Cut = Callable[[int], Sequence[IntArray] | None]
"""``cut(nodes)``: the training samples cut anew over so many nodes; ``None`` where that cannot be done."""


class Recovery(Settings):
    """What the survivors do about the samples of nodes that are gone, as the coordinator sees it when a round begins.

    ===================  ============================================================================================
    none                 nothing
    shard                all samples of a lost node are dealt to the survivors, who append them to their own
    most_representative  only those on which its model had the greatest loss when it last reported them
    repartition          all training samples are cut anew over the survivors; where they cannot be, as in shard
    ===================  ============================================================================================

    A node that comes back takes its own samples again. Only samples that every process could have are given to others.

    Example:
        >>> Recovery(kind="most_representative", track_every=5).tracks(round=6)
        True

    Source: the data redistribution of dyn-fed, with indices into all samples in place of positions in the last batch.
    """

    kind: Literal["none", "shard", "most_representative", "repartition"] = Field(
        "none", description="which samples of a lost node others take over"
    )
    samples: int = Field(
        100, ge=1, le=10_000, description="how many samples a node reports, in samples: most_representative"
    )
    track_every: int = Field(
        1, ge=1, description="rounds from one report to the next, the first in round 1: most_representative"
    )

    def tracks(self, round: int) -> bool:
        """Whether nodes report in a round."""
        return self.kind == "most_representative" and (round - 1) % self.track_every == 0

    def check(self, nodes: int, peers: bool, public: bool, pooled: bool) -> None:
        """Whether recovery suits an experiment.

        Args:
            nodes: how many nodes there are.
            peers: whether they have no coordinator.
            public: whether every process may have every sample.
            pooled: whether each node draws its samples from all.

        Raises:
            InputError: it does not.
        """
        if self.kind == "none":
            return
        remedy = "Leave recovery out."
        if peers:
            raise InputError("recovery", "be none among peers, whom nobody tells who is gone", self.kind, remedy)
        if not public:
            remedy = "Leave recovery out, or use a partition of data that all processes share, such as iid."
            raise InputError("recovery", "be none for data that must not leave their node", self.kind, remedy)
        if pooled:
            required = "be none where each node draws from all samples, of which none is lost with it"
            raise InputError("recovery", required, self.kind, remedy)
        if self.kind == "most_representative" and nodes * self.samples > MOST_REPORTED:
            required = f"let all nodes report at most {MOST_REPORTED} samples together"
            raise InputError("recovery.samples", required, f"{self.samples} of {nodes} nodes", "Lower it.")


def by_kind(value: Any) -> Any:
    """What an experiment file says of recovery, where a kind may stand alone.

    Example:
        >>> by_kind("shard")
        {'kind': 'shard'}
    """
    return {"kind": value} if isinstance(value, str) else value


@dataclass(frozen=True)
class Assignment:
    """Who works on whose samples while some nodes are gone.

    Args:
        held: the samples of each survivor who has not only its own, as indices into the training samples.
        taken: of each lost node of which others take samples over, how many, and how many survivors.
    """

    held: Mapping[int, IntArray]
    taken: Mapping[int, tuple[int, int]]


def assign(
    recovery: Recovery, shards: Sequence[IntArray], lost: Lost, seed: int, cut: Cut, disjoint: bool = True
) -> Assignment:
    """Who works on what.

    Args:
        recovery: the experiment's.
        shards: for each node its own samples.
        lost: who is gone; whatever does not exist or is not a node's own is passed over.
        seed: the experiment's seed.
        cut: cuts all samples anew.
        disjoint: whether no sample is with two nodes; otherwise what a survivor has is dealt to nobody.

    Example:
        >>> shards = [np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([6, 7])]
        >>> found = assign(Recovery(kind="shard"), shards, {1: ()}, seed=1, cut=lambda nodes: None)
        >>> sorted(np.concatenate(list(found.held.values())).tolist()), found.taken
        ([0, 1, 2, 3, 4, 5, 6, 7], {1: (3, 2)})
    """
    gone = sorted(node for node in lost if node < len(shards))
    if recovery.kind == "none" or not gone or len(gone) == len(shards):
        return Assignment({}, {})
    survivors: IntArray = np.setdiff1d(np.arange(len(shards)), gone)
    parts = cut(len(survivors)) if recovery.kind == "repartition" else None
    if parts is not None:
        held = {node: np.asarray(part) for node, part in zip(survivors.tolist(), parts, strict=True)}
        return Assignment(held, {node: (len(shards[node]), len(survivors)) for node in gone})
    given = {node: _given(recovery, shards[node], lost[node]) for node in gone}
    return _deal(shards, survivors, given if disjoint else _unheld(shards, survivors, given), seed)


def _given(recovery: Recovery, shard: IntArray, reported: tuple[int, ...]) -> IntArray:
    """The samples of a lost node that go to others, sorted."""
    everything = recovery.kind != "most_representative"
    return np.unique(shard) if everything else np.intersect1d(shard, np.array(reported, dtype=np.int64))


def _unheld(shards: Sequence[IntArray], survivors: IntArray, given: Mapping[int, IntArray]) -> dict[int, IntArray]:
    """The same without what a survivor has, or a lost node before has given."""
    taken, left = np.unique(np.concatenate([shards[node] for node in survivors.tolist()])), {}
    for node, samples in given.items():
        left[node] = np.setdiff1d(samples, taken)
        taken = np.union1d(taken, samples)
    return left


def _deal(shards: Sequence[IntArray], survivors: IntArray, given: Mapping[int, IntArray], seed: int) -> Assignment:
    """The samples of each lost node shuffled and dealt one by one, from a survivor on that its address names."""
    samples, owners = [], []
    for node, own in given.items():
        rng = np.random.default_rng(int(address(seed, "recovery", node)))
        samples.append(rng.permutation(own))
        owners.append(survivors[(rng.integers(len(survivors)) + np.arange(len(own))) % len(survivors)])
    owner_T, sample_T = np.concatenate(owners), np.concatenate(samples)
    order = np.argsort(owner_T, kind="stable")
    who, first = np.unique(owner_T[order], return_index=True)
    pieces = np.split(sample_T[order], first[1:]) if len(who) else []
    held = {node: np.concatenate([shards[node], more]) for node, more in zip(who.tolist(), pieces, strict=True)}
    return Assignment(held, {d: (len(own), min(len(own), len(survivors))) for d, own in given.items() if len(own)})


def moved(before: Assignment, now: Assignment, shards: Sequence[IntArray]) -> dict[int, int]:
    """How many samples go to each node: those of which it now has to have a copy and neither owns nor had one.

    Example:
        >>> before, now = Assignment({0: np.array([0, 5])}, {}), Assignment({0: np.array([0, 5, 6, 7])}, {})
        >>> moved(before, now, [np.array([0])])
        {0: 2}
    """
    nobody = np.zeros(0, dtype=np.int64)
    copies = {node: np.concatenate([shards[node], before.held.get(node, nobody)]) for node in now.held}
    counts = {node: len(np.setdiff1d(samples, copies[node])) for node, samples in now.held.items()}
    return {node: count for node, count in counts.items() if count}


def owned(shards: Sequence[IntArray], nodes_M: IntArray, samples_Mn: IntArray) -> IntArray:
    """(M, n) the samples that nodes report, with -1 in place of what is not a node's own.

    Example:
        >>> owned([np.array([0, 1]), np.array([2])], np.array([1]), np.array([[2, 0, -7, -1]])).tolist()
        [[2, -1, -1, -1]]
    """
    own = np.concatenate([shards[node] + (node << 31) for node in nodes_M.tolist()])  # samples are int32 on the wire
    own_Mn = np.isin(samples_Mn + (nodes_M << 31)[:, None], own) & (samples_Mn >= 0)
    return np.where(own_Mn, samples_Mn, -1)
