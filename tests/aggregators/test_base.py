from __future__ import annotations

import pytest
import torch
from torch import Tensor

from holdfast.aggregators import Aggregator, PreAggregator
from holdfast.aggregators.base import Chain, round_of
from holdfast.catalogue import build
from holdfast.errors import InputError
from holdfast.types import State

from .oracles import assert_near, normal_rows


class Doubled(PreAggregator):
    """Doubles every row and counts its calls: a stage as a user would write it, who knows of no mixtures.

    Example:
        >>> Doubled().transform({}, torch.ones(1, 1))[1].item()
        2.0
    """

    def transform(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor, Tensor | None]:
        return {"calls": state.get("calls", torch.tensor(0)) + 1, "seen": torch.tensor(round_of(state))}, 2 * x_MD, None


def chain(*stages: object) -> Aggregator:
    return build(Aggregator, list(stages))


def test_a_chain_is_its_stages_one_after_the_other() -> None:
    x_MD = normal_rows(1, 9, 5)
    x_MD[[2, 5]] = 100.0
    by_hand = build(Aggregator, {"name": "krum", "f": 2})(
        build(Aggregator, {"name": "nnm", "f": 2}).transform({}, x_MD)[1]
    )  # type: ignore[attr-defined]
    torch.testing.assert_close(chain({"name": "nnm", "f": 2}, {"name": "krum", "f": 2})(x_MD), by_hand)


def test_a_stage_of_ones_own_stands_anywhere_before_the_rule() -> None:
    x_MD = normal_rows(2, 7, 3)
    expected_D = 2 * chain("nnm", "median")(x_MD)
    for stages in ((Doubled(), "nnm", "median"), ("nnm", Doubled(), "median")):
        torch.testing.assert_close(chain(*stages)(x_MD), expected_D)


def test_each_stage_has_its_own_memory_and_sees_the_round() -> None:
    rule, state = chain(Doubled(), Doubled(), "median"), {"round": torch.tensor(4)}
    for calls in (1, 2, 3):
        state, _ = rule.aggregate(state, torch.ones(3, 2))
        assert [int(state[f"{stage}.calls"]) for stage in (0, 1)] == [calls, calls]
    assert (int(state["round"]), int(state["0.seen"]), int(state["1.seen"])) == (4, 4, 4)


def test_a_chain_needs_as_many_rows_as_feed_its_hungriest_stage() -> None:
    """Krum with f = 2 needs seven rows; in groups of three it gets them from nineteen."""
    rule = chain({"name": "bucketing", "s": 3}, {"name": "krum", "f": 2})
    assert (rule.least, rule.requires(1)) == (19, 13)
    rule.check(19)
    with pytest.raises(InputError, match="krum at least 7 rows, but 'f=2 with 6 rows'"):
        rule.check(18)


def test_what_nodes_do_before_they_send_is_kept_by_stage() -> None:
    rule = chain({"name": "momentum", "beta": 0.5}, "median")
    state, first_KD = rule.before_sending(rule.start(2, 1), torch.tensor([[4.0], [8.0]]))
    assert_near(first_KD, [[2.0], [4.0]])
    assert_near(rule.before_sending(state, torch.zeros(2, 1))[1], [[1.0], [2.0]])
    assert list(state) == ["0.m"]


def test_a_chain_of_one_is_that_rule() -> None:
    assert not isinstance(chain("median"), Chain)
    with pytest.raises(InputError, match="at least one rule"):
        chain()
    with pytest.raises(InputError, match="pre-aggregators before its last rule"):
        chain("median", "mean")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -1.0, 1.0], "not negative"),
        ([0.0, 0.0, 0.0], "not all 0"),
        ([1.0, torch.nan, 1.0], "finite"),
        ([1.0, 2.0], "one weight a row"),
    ],
)
def test_weights_that_are_none_are_refused(weights: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(Aggregator, "mean")(torch.ones(3, 2), torch.tensor(weights))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["mean", "nan_mean", "median", "phocas", "krum", "multi_krum"])
def test_half_precision_comes_back_as_such(name: str, dtype: torch.dtype) -> None:
    x_MD = normal_rows(3, 7, 50).to(dtype)
    rule = build(Aggregator, name)
    found_D = rule(x_MD)
    assert found_D.dtype == dtype
    torch.testing.assert_close(found_D, rule(x_MD.float()).to(dtype))
