"""What all rules on graphs have in common."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators import Aggregator
from holdfast.aggregators.mean import Mean
from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.experiment import Experiment

from ..contract import PROPERTY
from ..tiny import Blobs, play, simulation
from .oracles import normal_rows

NAMES = [name for name, cls in catalogue("aggregators").items() if issubclass(cls, Aggregator) and cls.on_graphs_only]
WEIGHED = ["clipped_gossip", "cs_plus_rg", "ios"]
every = pytest.mark.parametrize("name", NAMES)


def rule_of(name: str, f: int) -> Aggregator:
    return build(Aggregator, {"name": name, "f": f})


def test_these_are_the_rules() -> None:
    assert set(NAMES) >= {*WEIGHED, "nna", "self_centered_clipping"}


@every
@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(1, 7)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order_of_the_neighbours(
    name: str, seed: int, order: list[int], scale: float, shift: float
) -> None:
    rule, x_MD, weights_M = rule_of(name, 2), normal_rows(seed, 7, 3), normal_rows(seed + 1, 7).abs() + 0.1
    expected_D, at = scale * rule(x_MD, weights_M) + shift, [0, *order]
    torch.testing.assert_close(rule((scale * x_MD + shift)[at], weights_M[at]), expected_D)


@every
@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 3), st.data())
def test_liars_lead_no_further_than_the_farthest_honest_row(
    name: str, seed: int, f: int, more: int, data: st.DataObject
) -> None:
    """Of all of them but two: clipped gossip's radius is greater by 1/√b, and scissors have no such bound."""
    x_MD = normal_rows(seed, 2 * f + 1 + more, 3).float()
    liars = data.draw(st.sets(st.integers(1, max(1, len(x_MD) - 1)), max_size=min(f, len(x_MD) - 1)))
    for liar in liars:
        x_MD[liar] = data.draw(st.floats(width=32))
    honest_MD = x_MD[[i for i in range(len(x_MD)) if i not in liars]]
    farthest = float((honest_MD - x_MD[0]).norm(dim=1).max())
    bound = {"clipped_gossip": 1 + (f / len(x_MD)) ** 0.5, "ios": 2}.get(name, 1)
    assert (rule_of(name, f)(x_MD) - x_MD[0]).norm() <= bound * farthest + 1e-5


@pytest.mark.parametrize("name", WEIGHED)
def test_without_liars_to_bear_it_mixes_by_the_weights(name: str) -> None:
    x_MD, weights_M = normal_rows(1, 5, 3), torch.tensor([4.0, 3.0, 2.0, 1.0, 5.0])
    torch.testing.assert_close(rule_of(name, 0)(x_MD, weights_M), Mean()(x_MD, weights_M))


@every
@pytest.mark.parametrize("broken", [torch.nan, torch.inf, -torch.inf])
def test_broken_neighbours_are_not_heard_and_a_broken_own_row_shows(name: str, broken: float) -> None:
    x_MD = normal_rows(1, 5, 2)
    x_MD[1:, 1] = broken
    torch.testing.assert_close(rule_of(name, 2)(x_MD), x_MD[0])
    x_MD = normal_rows(1, 5, 2)
    x_MD[0, 1] = broken
    assert not rule_of(name, 2)(x_MD)[1].isfinite()


@every
def test_a_batch_with_weights_of_its_own(name: str) -> None:
    x_BMD, weights_BM = normal_rows(1, 3, 7, 4), normal_rows(2, 3, 7).abs() + 0.1
    rule = rule_of(name, 2)
    expected = [rule(x_MD, weights_M) for x_MD, weights_M in zip(x_BMD, weights_BM, strict=True)]
    torch.testing.assert_close(rule(x_BMD, weights_BM), torch.stack(expected))
    assert torch.equal(rule(x_BMD, weights_BM, x_BMD[:, 0]), rule(x_BMD, weights_BM)), "the pivot is the own row"


@every
def test_after_nearest_neighbour_mixing_the_own_row_is_its_mixture(name: str) -> None:
    x_MD = normal_rows(3, 7, 3)
    mixed_MD = build(Aggregator, {"name": "nnm", "f": 2}).transform({}, x_MD)[1]  # type: ignore[attr-defined]
    chain = build(Aggregator, [{"name": "nnm", "f": 2}, {"name": name, "f": 2}])
    torch.testing.assert_close(chain(x_MD), rule_of(name, 2)(mixed_MD))


# ---------------------------------------------------------------- where they may be used

FIELDS: dict[str, Any] = {"problem": "digits", "nodes": 9}
AMONG_PEERS = {**FIELDS, "algorithm": "dsgd", "topology": "complete"}


class Trusting(Mean):
    """A rule that trusts node 0."""

    @property
    def trusted_node(self) -> int:
        return 0


@every
def test_a_coordinator_has_no_own_row(name: str) -> None:
    for rule in (name, ["nnm", name]):
        with pytest.raises(
            InputError, match=f"^aggregator must suit a coordinator, .* but '{name}' was given. Use tri"
        ):
            Experiment(**FIELDS, algorithm="fedavg", aggregator=rule)
        assert Experiment(**AMONG_PEERS, aggregator=rule).aggregator is not None


@every
def test_a_stage_that_makes_fewer_rows_loses_the_own_one(name: str) -> None:
    with pytest.raises(InputError, match=f"^aggregator must leave the receiver's own row in its place for {name}"):
        Experiment(**AMONG_PEERS, aggregator=[{"name": "bucketing", "s": 2}, name])
    assert Experiment(**AMONG_PEERS, aggregator=["bucketing", "median"]).aggregator is not None


def test_peers_trust_nobody() -> None:
    for rule in (Trusting(), ["nnm", Trusting()]):
        with pytest.raises(InputError, match=r"^aggregator must suit peers, .* but '.*Trusting' was given"):
            Experiment(**AMONG_PEERS, aggregator=rule)
        assert Experiment(**FIELDS, algorithm="fedavg", aggregator=rule).aggregator is not None


@every
def test_honest_peers_agree_in_spite_of_liars(name: str) -> None:
    fields = {"problem": Blobs(), "algorithm": "dsgd", "nodes": 8, "topology": "complete", "engine": "sequential"}
    spread = {}
    for rule in (None, {"name": name, "f": 2}):
        run = simulation(**fields, aggregator=rule, attack={"name": "gaussian", "nodes": [2, 5], "std": 30.0})
        x_HD = torch.from_numpy(play(run, 5)[-1])[[0, 1, 3, 4, 6, 7]]
        spread[rule is None] = float(x_HD.abs().max())
    assert spread[False] < 3 < spread[True]
