"""Who works on the samples of nodes that are gone: a pure function of who they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from holdfast import Experiment, InputError
from holdfast.partitions import Iid, Overlap
from holdfast.prepare import Preparer
from holdfast.recovery import Assignment, Lost, Recovery, assign, moved, owned
from holdfast.types import IntArray

from .tiny import Blobs

SHARDS = [np.array([8, 1, 2]), np.array([3, 4, 5]), np.array([6, 7, 0, 9])]


def cut_nothing(nodes: int) -> None:
    return None


def dealt(kind: str, shards: Sequence[IntArray], lost: Lost, seed: int = 1, **fields: Any) -> Assignment:
    """Who works on what; nothing can be cut anew unless the test says so."""
    return assign(Recovery(kind=kind), shards, lost, seed, **{"cut": cut_nothing, **fields})


def extra(found: Assignment, shards: Sequence[IntArray]) -> dict[int, list[int]]:
    """What each survivor has besides its own samples, which stand first and in their order."""
    for node, samples in found.held.items():
        assert samples[: len(shards[node])].tolist() == shards[node].tolist()
    return {node: sorted(samples[len(shards[node]) :].tolist()) for node, samples in found.held.items()}


def all_extra(found: Assignment, shards: Sequence[IntArray]) -> list[int]:
    """The same of all survivors together, sorted."""
    return sorted(sample for samples in extra(found, shards).values() for sample in samples)


# ---------------------------------------------------------------- by hand


def test_a_lost_shard_goes_to_the_survivors_in_even_amounts() -> None:
    found = dealt("shard", SHARDS, {1: ()})
    more = extra(found, SHARDS)
    assert sorted(len(samples) for samples in more.values()) == [1, 2]
    assert sorted(more[0] + more[2]) == [3, 4, 5]
    assert found.taken == {1: (3, 2)}


def test_the_only_survivor_gets_everything() -> None:
    found = dealt("shard", SHARDS, {0: (), 2: ()})
    assert extra(found, SHARDS) == {1: [0, 1, 2, 6, 7, 8, 9]}
    assert found.taken == {0: (3, 1), 2: (4, 1)}


@pytest.mark.parametrize("lost", [{}, {0: (), 1: (), 2: ()}, {7: ()}])
def test_where_nobody_is_gone_or_left_nothing_changes(lost: Lost) -> None:
    assert dealt("shard", SHARDS, lost) == Assignment({}, {})


def test_none_does_nothing() -> None:
    assert dealt("none", SHARDS, {1: ()}) == Assignment({}, {})


def test_of_what_a_node_reported_its_own_samples_go_out_once_each() -> None:
    found = dealt("most_representative", SHARDS, {1: (5, 3, 5, 6, 99)})
    assert all_extra(found, SHARDS) == [3, 5]
    assert found.taken == {1: (2, 2)}


def test_a_node_that_reported_nothing_leaves_nothing() -> None:
    assert dealt("most_representative", SHARDS, {1: ()}) == Assignment({}, {})


def test_everything_is_cut_anew_over_the_survivors() -> None:
    parts = [np.arange(5), np.arange(5, 10)]
    found = dealt("repartition", SHARDS, {1: ()}, cut={2: parts}.get)
    assert {node: samples.tolist() for node, samples in found.held.items()} == {0: [0, 1, 2, 3, 4], 2: [5, 6, 7, 8, 9]}
    assert found.taken == {1: (3, 2)}


def test_what_cannot_be_cut_anew_is_dealt() -> None:
    found, expected = (dealt(kind, SHARDS, {1: ()}) for kind in ("repartition", "shard"))
    assert extra(found, SHARDS) == extra(expected, SHARDS)


def test_what_a_survivor_has_anyway_is_dealt_to_nobody() -> None:
    shards = [np.array([0, 1]), np.array([1, 2, 3]), np.array([3, 4]), np.array([5])]
    assert extra(dealt("shard", shards, {1: ()}, disjoint=False), shards).popitem()[1] == [2]
    found = dealt("shard", shards, {1: (), 2: ()}, disjoint=False)  # 3 was with both of them
    assert all_extra(found, shards) == [2, 3, 4]
    assert {node: samples for node, (samples, _) in found.taken.items()} == {1: 2, 2: 1}


def test_a_sample_moves_to_whom_neither_owns_nor_had_it() -> None:
    before = Assignment({0: np.array([8, 1, 2, 3]), 2: np.array([6, 7, 0, 9, 4])}, {})
    now = Assignment({0: np.array([8, 1, 2, 3, 5]), 2: np.array([0, 3, 4])}, {})  # anew: 2 owns 0 and had 4
    assert moved(before, now, SHARDS) == {0: 1, 2: 1}
    assert moved(now, Assignment({}, {}), SHARDS) == {}


def test_a_node_reports_its_own_samples_or_nothing() -> None:
    told = np.array([[3, 5, -1], [7, 3, 9], [-2, 10**6, 6]])
    assert owned(SHARDS, np.array([1, 2, 2]), told).tolist() == [[3, 5, -1], [7, -1, 9], [-1, -1, 6]]


@pytest.mark.parametrize("every", [1, 3])
def test_reports_are_due_in_the_first_round_and_every_so_many_after(every: int) -> None:
    due = [round for round in range(1, 8) if Recovery(kind="most_representative", track_every=every).tracks(round)]
    assert due == list(range(1, 8, every))
    assert not Recovery(kind="shard").tracks(1)


# ---------------------------------------------------------------- whoever is gone

worlds = st.lists(st.integers(1, 9), min_size=2, max_size=12).flatmap(
    lambda sizes: st.tuples(st.just(sizes), st.sets(st.integers(0, len(sizes) - 1), max_size=len(sizes) - 1))
)


@given(worlds, st.integers(0, 5))
def test_every_sample_of_a_lost_node_is_with_one_survivor(world: tuple[list[int], set[int]], seed: int) -> None:
    sizes, gone = world
    order = np.random.default_rng(3).permutation(sum(sizes))
    shards = np.split(order, np.cumsum(sizes)[:-1])
    lost: Lost = dict.fromkeys(sorted(gone), ())
    found = dealt("shard", shards, lost, seed)
    more = extra(found, shards)
    assert all_extra(found, shards) == sorted(sample for node in gone for sample in shards[node].tolist())
    assert not gone & more.keys()
    for node in gone:  # each shard is dealt evenly
        counts = [len(np.intersect1d(more.get(n, []), shards[node])) for n in set(range(len(sizes))) - gone]
        assert max(counts) - min(counts) <= 1
        assert found.taken[node] == (sizes[node], sum(count > 0 for count in counts))
    again = dealt("shard", shards, dict(reversed(lost.items())), seed)
    assert extra(again, shards) == more


@given(worlds)
def test_what_overlaps_is_with_some_survivor(world: tuple[list[int], set[int]]) -> None:
    sizes, gone = world
    shards = list(Overlap(overlap=0.7).split(np.zeros(40, dtype=np.int64), len(sizes), seed=2))
    found = dealt("shard", shards, dict.fromkeys(gone, ()), disjoint=False)
    for node, more in extra(found, shards).items():
        assert not np.isin(more, shards[node]).any()
    held = [found.held.get(node, shards[node]) for node in range(len(sizes)) if node not in gone]
    assert np.unique(np.concatenate(held)).tolist() == list(range(40))


# ---------------------------------------------------------------- in an experiment

FIELDS: dict[str, Any] = {"problem": Blobs(), "nodes": 4, "algorithm": "fedavg"}


def test_a_kind_may_stand_alone() -> None:
    short = Experiment(**FIELDS, recovery="shard")
    assert short == Experiment(**FIELDS, recovery={"kind": "shard"}) == Experiment(**short.as_mapping())
    assert Experiment(**FIELDS).recovery == Recovery()
    schema = TypeAdapter(Experiment).json_schema()["properties"]["recovery"]
    assert {"type": "string"} in schema["anyOf"]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"recovery": "shart"}, "recovery.kind must"),
        ({"recovery": {"kind": "shard", "samples": 0}}, "recovery.samples must be greater than or equal to 1"),
        ({"partition": "own_data", "recovery": "shard"}, "recovery must be none for data that must not leave their"),
        ({"partition": "resample", "recovery": "repartition"}, "recovery must be none where each node draws from all"),
        ({"algorithm": "dsgd", "topology": "cycle", "recovery": "shard"}, "recovery must be none among peers"),
        (
            {"nodes": 201, "recovery": {"kind": "most_representative", "samples": 1000}},
            "recovery.samples must let all nodes report at most 200000 samples",
        ),
    ],
)
def test_refused_at_once(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Experiment(**{**FIELDS, **fields})


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"problem": Blobs(batch_norm=True), "recovery": "shard"}, "recovery must be none with batch normalisation"),
        (
            {"nodes": 3, "partition": "label_shards", "recovery": "repartition"},
            "recovery must be a kind other than repartition .* over 2 nodes.* There, partition.classes_per_node must",
        ),
    ],
)
def test_refused_before_anything_runs(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Preparer().prepare(Experiment(**{**FIELDS, **fields}))


def test_anew_means_as_the_partition_splits() -> None:
    run = Preparer().prepare(Experiment(**FIELDS, recovery="repartition"))
    expected = Iid().split(run.data.train[1].numpy(), 3, run.experiment.seed)
    held = run.assignment({2: ()}).held
    assert [held[node].tolist() for node in (0, 1, 3)] == [part.tolist() for part in expected]
    assert run.cohort(np.array([0, 3]), round=1, lost={2: ()}).sizes_K.tolist() == [20, 20]
    assert run.effort(np.array([0, 3]), {2: ()}).tolist() == [20, 20]
    assert run.effort(np.array([0, 3])).tolist() == [15, 15]
