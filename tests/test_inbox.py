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
    return lambda x_GMD, weights_GM, pivot_GD: rule.aggregate({}, x_GMD, weights_GM, pivot_GD)[1]


def test_the_sum_of_great_finite_numbers_is_no_trouble() -> None:
    heard_SD = torch.full((3, 1), 3e38)
    found = peers(np.full((1, 3), 0.25), torch.zeros(1, 1), heard_SD).mix("x")
    torch.testing.assert_close(found, torch.tensor([[0.75 * 3e38]]))


# ---------------------------------------------------------------- with a robust rule


def nearest_half(x_MD: Tensor, weights_M: Tensor, pivot_D: Tensor) -> Tensor:
    """The weighted sum of the half of the rows nearest to the pivot: depends on M, the pivot, every row and weight."""
    order = (x_MD - pivot_D).square().sum(1).argsort()[: (len(x_MD) + 1) // 2]
    return weights_M[order] @ x_MD[order]


def batched(x_GMD: Tensor, weights_GM: Tensor, pivot_GD: Tensor) -> Tensor:
    return torch.stack([nearest_half(*one) for one in zip(x_GMD, weights_GM, pivot_GD, strict=True)])


def by_rule(W_KS: np.ndarray, own_KD: Tensor, heard_SD: Tensor, least: int) -> Tensor:
    found = []
    for i, own_D in enumerate(own_KD):
        links = [j for j in range(len(heard_SD)) if W_KS[i, j]]
        weights_M = torch.tensor([1 - sum(W_KS[i, links]), *W_KS[i, links]], dtype=torch.float64)
        neighbourhood_MD = torch.stack([own_D, *(heard_SD[j] for j in links)])
        short = len(neighbourhood_MD) < least
        found.append(own_D if short else nearest_half(neighbourhood_MD, weights_M, own_D))
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

    def note(x_GMD: Tensor, weights_GM: Tensor, pivot_GD: Tensor) -> Tensor:
        seen.append(len(x_GMD))
        return batched(x_GMD, weights_GM, pivot_GD)

    W_KS = 1.0 - np.eye(7, 5)
    W_KS[5:, 0] = 0
    peers(W_KS, rows(7, 1), rows(5, 2), rule=note).mix("x")
    assert sorted(seen) == [1, 3, 3]


def test_the_mean_is_mixing_by_the_weights() -> None:
    W_KS, own_KD, heard_SD = links(5, 6, 0.6, 1), rows(5, 1), rows(6, 2)
    found_KD = peers(W_KS, own_KD, heard_SD, rule=_rule("mean")).mix("x")
    np.testing.assert_allclose(found_KD.numpy(), mixed(W_KS, own_KD, heard_SD), atol=1e-12)


def test_the_own_row_comes_first_and_is_the_pivot_and_weighs_what_is_left() -> None:
    seen: list[list[object]] = []

    def note(x_GMD: Tensor, weights_GM: Tensor, pivot_GD: Tensor) -> Tensor:
        seen.append([x_GMD.tolist(), weights_GM.tolist(), pivot_GD.tolist()])
        return pivot_GD

    own_KD, heard_SD = torch.tensor([[1.0], [2.0]]), torch.tensor([[7.0], [8.0], [9.0]])
    peers(np.array([[0, 0.25, 0.5], [0, 0, 0.125]]), own_KD, heard_SD, rule=note).mix("x")
    alone, both = seen
    assert alone == [[[[2.0], [9.0]]], [[0.875, 0.125]], [[2.0]]]
    assert both == [[[[1.0], [8.0], [9.0]]], [[0.25, 0.25, 0.5]], [[1.0]]]


@pytest.mark.parametrize("rule", [None, batched])
@PROPERTY
@given(K=st.integers(1, 5), S=st.integers(1, 6), density=st.sampled_from([0.3, 1.0]), seed=st.integers(0, 99))
def test_some_receivers_hear_rows_of_their_own(rule: object, K: int, S: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    W_KS, own_KD, heard_SD = links(K, S, density, seed), rows(K, seed), rows(S, seed + 1)
    liars_S, receivers = rng.random(S) < 0.5, np.flatnonzero(rng.random(K) < 0.5)
    told_RD = rows(len(receivers), seed + 2)
    found_KD = peers(W_KS, own_KD, heard_SD, rule=rule).told({"x": told_RD}, liars_S, receivers).mix("x")
    for i in range(K):
        own_heard_SD = heard_SD.clone()
        if i in receivers:
            own_heard_SD[torch.from_numpy(liars_S)] = told_RD[receivers.tolist().index(i)]
        alone_D = peers(W_KS[[i]], own_KD[[i]], own_heard_SD, rule=rule).mix("x")[0]
        torch.testing.assert_close(found_KD[i], alone_D)


def test_hearing_some_of_the_senders() -> None:
    W_KS, own_KD, heard_SD = links(4, 5, 0.8, 1), rows(4, 1), rows(5, 2)
    found_KD = peers(W_KS, own_KD, heard_SD, rule=batched).hearing(np.array([1, 3])).mix("x")
    W_KS[:, [0, 2, 4]] = 0
    np.testing.assert_allclose(found_KD.numpy(), mixed(W_KS, own_KD, heard_SD), atol=1e-12)


def test_channels_are_mixed_apart() -> None:
    own = {"x": rows(2, 1), "y": rows(2, 2)}
    heard = {"x": rows(2, 3), "y": rows(2, 4)}
    W = np.array([[0, 0.5], [0.5, 0]])
    inbox = PeerInbox(own, heard, sparse.csr_array(W))
    np.testing.assert_allclose(inbox.mix("y").numpy(), mixed(W, own["y"], heard["y"]))


# ---------------------------------------------------------------- what is more than mixing


@PROPERTY
@given(K=st.integers(1, 5), S=st.integers(0, 6), density=st.sampled_from([0.0, 0.2, 0.6, 1.0]), seed=st.integers(0, 99))
def test_what_mixing_changes_and_how_far_peers_are_apart(K: int, S: int, density: float, seed: int) -> None:
    W_KS, own_KD, heard_SD = links(K, S, density, seed), rows(K, seed), rows(S, seed + 1)
    inbox = peers(W_KS, own_KD, heard_SD)
    torch.testing.assert_close(inbox.towards("x"), inbox.mix("x") - own_KD)
    for i in range(K):
        apart_D = sum((own_KD[i] - heard_SD[j] for j in range(S) if W_KS[i, j]), torch.zeros(D, dtype=torch.float64))
        torch.testing.assert_close(inbox.apart("x")[i], apart_D)


def test_who_agree_stay_as_they_are_to_the_bit() -> None:
    alike_KD = torch.full((3, 2), 0.1)
    inbox = peers(np.full((3, 3), 1 / 3), alike_KD, alike_KD)
    assert not inbox.towards("x").any()
    assert not inbox.apart("x").any()


def test_how_far_peers_are_apart_by_a_rule() -> None:
    # The medians of 0, 1, 9 and of 5, 9 are 1 and 7: 3 · (0 - 1) and 2 · (5 - 7).
    W_KS = np.array([[0.1, 0.1], [0.0, 0.3]])
    inbox = peers(W_KS, torch.tensor([[0.0], [5.0]]), torch.tensor([[1.0], [9.0]]), rule=_rule("median"))
    assert inbox.towards("x").tolist() == [[1.0], [2.0]]
    assert inbox.apart("x").tolist() == [[-3.0], [-4.0]]


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
@pytest.mark.parametrize("where", [0, 1])
def test_what_is_broken_reaches_neighbours_alone_in_differences_too(broken: float, where: int) -> None:
    W_KS = np.array([[0.0, 0.3, 0.0], [0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])
    own_KD = rows(3, 1)
    own_KD[where, 0] = broken
    found_KD = peers(W_KS, own_KD, own_KD).towards("x")
    assert not found_KD[2].any()
    assert found_KD[:, 1:].isfinite().all()
    assert not found_KD[:2, 0].isfinite().any()


@PROPERTY
@given(N=st.integers(1, 6), density=st.sampled_from([0.2, 0.6, 1.0]), seed=st.integers(0, 99), by=st.booleans())
def test_pushing_keeps_the_sum_whatever_is_lost(N: int, density: float, seed: int, by: bool) -> None:
    rng = np.random.default_rng(seed)
    linked = (rng.random((N, N)) < density) | np.eye(N, dtype=bool)
    A_NN = linked / linked.sum(0) * ((rng.random((N, N)) < 0.7) & ~np.eye(N, dtype=bool))  # what was delivered
    own_KD = rows(N, seed)
    inbox = peers(A_NN, own_KD, own_KD, kept_K=1 - A_NN.sum(0), rule=_rule("mean") if by else None)
    expected = A_NN @ own_KD.numpy() + (1 - A_NN.sum(0))[:, None] * own_KD.numpy()
    np.testing.assert_allclose(inbox.pushed("x").numpy(), expected, atol=1e-12)
    torch.testing.assert_close(inbox.pushed("x").sum(0), own_KD.sum(0))


def test_own_rows_as_they_were_sent() -> None:
    # Node 8 was heard twice, its newer row last; node 9 was silent.
    own_KD, heard_SD = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[10.0], [20.0], [30.0]])
    inbox = peers(np.zeros((3, 3)), own_KD, heard_SD, senders_S=np.array([8, 7, 8]))
    assert inbox.as_sent(np.array([7, 8, 9])).own["x"].tolist() == [[20.0], [30.0], [0.0]]
    assert peers(np.zeros((3, 3)), own_KD, heard_SD).as_sent(np.array([7, 8, 9])).own["x"] is own_KD


def test_what_liars_tell_one_receiver_is_from_nobody() -> None:
    inbox = peers(np.array([[0.2, 0.2]]), rows(1, 1), rows(2, 2), senders_S=np.array([4, 5]), kept_K=np.array([0.5]))
    told = inbox.told({"x": rows(1, 3)}, np.array([False, True]), np.array([0]))
    assert told.senders_S is not None
    assert told.senders_S.tolist() == [4, 5, -1]
    assert told.links_KS.indices.tolist() == [0, 2]
    assert told.kept_K is not None
