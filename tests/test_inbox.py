"""What peers make of what they heard."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from torch import Tensor

from holdfast import inbox as module
from holdfast.aggregators import Aggregator
from holdfast.catalogue import build
from holdfast.inbox import PeerInbox

from .contract import PROPERTY

D = 4


def rows(count: int, seed: int) -> Tensor:
    return torch.randn(count, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def links(K: int, S: int, density: float, seed: int) -> np.ndarray:
    """Mixing weights of which a row's sum is at most 1."""
    rng = np.random.default_rng(seed)
    W = rng.uniform(0.1, 1, (K, S)) * (rng.random((K, S)) < density)
    return W / max(1, S)


def peers(W_KS: np.ndarray, own_KD: Tensor, heard_SD: Tensor, **own: object) -> PeerInbox:
    return PeerInbox({"x": own_KD}, {"x": heard_SD}, sparse.csr_array(W_KS), **own)  # type: ignore[arg-type]


def mixed(W_KS: np.ndarray, own_KD: Tensor, heard_SD: Tensor) -> np.ndarray:
    """Σ_j W_ij x_j, the rest of the weight on oneself, one number after another."""
    found = np.zeros(own_KD.shape)
    for i in range(len(own_KD)):
        for d in range(own_KD.shape[1]):
            left, total = 1.0, 0.0
            for j in range(len(heard_SD)):
                if W_KS[i, j]:
                    left -= W_KS[i, j]
                    total += W_KS[i, j] * float(heard_SD[j, d])
            found[i, d] = left * float(own_KD[i, d]) + total
    return found


@PROPERTY
@given(
    K=st.integers(1, 5),
    S=st.integers(0, 6),
    density=st.sampled_from([0.0, 0.1, 0.2, 0.6, 1.0]),
    seed=st.integers(0, 99),
)
def test_mixing_is_a_plain_loop(K: int, S: int, density: float, seed: int) -> None:
    W_KS, own_KD, heard_SD = links(K, S, density, seed), rows(K, seed), rows(S, seed + 1)
    found_KD = peers(W_KS, own_KD, heard_SD).mix("x")
    np.testing.assert_allclose(found_KD.numpy(), mixed(W_KS, own_KD, heard_SD), atol=1e-12)


@pytest.mark.parametrize("density", [0.1, 0.9])
def test_in_float32_too(density: float) -> None:
    W_KS, own_KD, heard_SD = links(9, 9, density, 1), rows(9, 1).float(), rows(9, 2).float()
    found_KD = peers(W_KS, own_KD, heard_SD).mix("x")
    assert found_KD.dtype == torch.float32
    np.testing.assert_allclose(found_KD.numpy(), mixed(W_KS, own_KD, heard_SD), atol=1e-6)


def test_who_hears_nobody_keeps_its_own() -> None:
    own_KD = rows(3, 1)
    for W_KS, heard_SD in [(np.zeros((3, 0)), rows(0, 1)), (np.zeros((3, 2)), rows(2, 2))]:
        assert torch.equal(peers(W_KS, own_KD, heard_SD).mix("x"), own_KD)


def test_a_missing_neighbour_gives_its_weight_to_oneself() -> None:
    own_KD = torch.tensor([[3.0]])
    both = peers(np.array([[0.25, 0.5]]), own_KD, torch.tensor([[7.0], [1.0]])).mix("x")
    one = peers(np.array([[0.25, 0.0]]), own_KD, torch.tensor([[7.0], [1.0]])).mix("x")
    assert float(both) == 0.25 * 3 + 0.25 * 7 + 0.5 * 1
    assert float(one) == 0.75 * 3 + 0.25 * 7


@pytest.mark.parametrize("broken", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("rule", [None, "median"])
def test_what_is_broken_reaches_neighbours_alone(broken: float, rule: str | None) -> None:
    W_KS = np.full((4, 4), 0.25)
    W_KS[2, 1] = 0  # node 2 does not hear node 1; the rest is dense
    np.fill_diagonal(W_KS, 0)
    own_KD, heard_SD = rows(4, 1), rows(4, 1)
    clean = peers(W_KS, own_KD, heard_SD, rule=_rule(rule)).mix("x")
    heard_SD[1, 0] = broken
    found = peers(W_KS, own_KD, heard_SD, rule=_rule(rule)).mix("x")
    torch.testing.assert_close(found[2], clean[2])
    torch.testing.assert_close(found[:, 1:], clean[:, 1:])
    assert found[[0, 1, 3], 0].isfinite().all() == (rule is not None)


def _rule(name: str | None) -> object:
    if name is None:
        return None
    rule = build(Aggregator, name)
    return lambda x_GMD, pivot_GD: rule.aggregate({}, x_GMD, None, pivot_GD)[1]


def test_the_sum_of_great_finite_numbers_is_no_trouble() -> None:
    heard_SD = torch.full((3, 1), 3e38)
    found = peers(np.full((1, 3), 0.25), torch.zeros(1, 1), heard_SD).mix("x")
    torch.testing.assert_close(found, torch.tensor([[0.75 * 3e38]]))


# ---------------------------------------------------------------- with a robust rule


def nearest_half(x_MD: Tensor, pivot_D: Tensor) -> Tensor:
    """The mean of the half of the rows that is nearest to the pivot: depends on M, on every row and on the pivot."""
    order = (x_MD - pivot_D).square().sum(1).argsort()
    return x_MD[order[: (len(x_MD) + 1) // 2]].mean(0)


def batched(x_GMD: Tensor, pivot_GD: Tensor) -> Tensor:
    return torch.stack([nearest_half(x, pivot) for x, pivot in zip(x_GMD, pivot_GD, strict=True)])


def by_rule(W_KS: np.ndarray, own_KD: Tensor, heard_SD: Tensor, least: int) -> Tensor:
    found = []
    for i, own_D in enumerate(own_KD):
        neighbourhood = [own_D] + [heard_SD[j] for j in range(len(heard_SD)) if W_KS[i, j]]
        short = len(neighbourhood) < least
        found.append(own_D if short else nearest_half(torch.stack(neighbourhood), own_D))
    return torch.stack(found)


@pytest.mark.parametrize("limit", [2**26, 50, 1])
@PROPERTY
@given(
    K=st.integers(1, 6),
    S=st.integers(0, 6),
    density=st.sampled_from([0.2, 0.6, 1.0]),
    least=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_a_rule_runs_over_each_neighbourhood(limit: int, K: int, S: int, density: float, least: int, seed: int) -> None:
    W_KS, own_KD, heard_SD = links(K, S, density, seed), rows(K, seed), rows(S, seed + 1)
    before = own_KD.clone()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GATHER_LIMIT", limit)
        inbox = peers(W_KS, own_KD, heard_SD, rule=batched, least=least)
        found_KD = inbox.mix("x")
    torch.testing.assert_close(found_KD, by_rule(W_KS, own_KD, heard_SD, least))
    assert torch.equal(own_KD, before)
    degrees = (W_KS > 0).sum(1)
    assert inbox.degrees_K.tolist() == degrees.tolist()
    assert inbox.short_K.tolist() == (degrees + 1 < least).tolist()


def test_no_more_is_gathered_at_once_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_LIMIT", 3 * 5 * D)  # three neighbourhoods of five rows
    seen: list[int] = []

    def note(x_GMD: Tensor, pivot_GD: Tensor) -> Tensor:
        seen.append(len(x_GMD))
        return batched(x_GMD, pivot_GD)

    W_KS = 1.0 - np.eye(7, 5)
    W_KS[5:, 0] = 0
    peers(W_KS, rows(7, 1), rows(5, 2), rule=note).mix("x")
    assert sorted(seen) == [1, 3, 3]


def test_channels_are_mixed_apart() -> None:
    own = {"x": rows(2, 1), "y": rows(2, 2)}
    heard = {"x": rows(2, 3), "y": rows(2, 4)}
    W = np.array([[0, 0.5], [0.5, 0]])
    inbox = PeerInbox(own, heard, sparse.csr_array(W))
    np.testing.assert_allclose(inbox.mix("y").numpy(), mixed(W, own["y"], heard["y"]))
