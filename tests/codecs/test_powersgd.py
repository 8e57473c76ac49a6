from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalogue import build
from holdfast.codecs import Codec
from holdfast.codecs.error_feedback import ErrorFeedback
from holdfast.codecs.powersgd import PowerSGD
from holdfast.errors import InputError

from ..contract import PROPERTY
from .draws import draws, rows

SHAPES = [(8, 3, 2), (8,), (), (6, 5), (2, 2)]
COLUMNS = 48 + 8 + 1 + 30 + 4


def round_trip(codec: PowerSGD, x_KD: torch.Tensor) -> torch.Tensor:
    return codec.decode(codec.encode(codec.start(*x_KD.shape), x_KD, draws(*range(len(x_KD))))[1])


def factored(matrix: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step in float64, orthonormalised by Gram and Schmidt: what the factors make, and the right one."""
    left: list[np.ndarray] = []
    for column in (matrix @ right).T:
        for before in left:
            column = column - (before @ column) * before
        left.append(column / np.linalg.norm(column))
    right = matrix.T @ np.stack(left, axis=1)
    return np.stack(left, axis=1) @ right.T, right


def test_by_hand() -> None:
    """M = diag(3, 4, 0) and q = (4, 3, 0): Mq = (12, 12, 0), P = (1, 1, 0) / √2, Q = (3, 4, 0) / √2."""
    codec = PowerSGD(rank=1)
    x_KD = torch.tensor([[3.0, 0, 0, 0, 4, 0, 0, 0, 0]])
    state, payload = codec.encode({"right": torch.tensor([[4.0, 3.0, 0.0]])}, x_KD, draws(0))
    left, right = payload.tensors["values"].split(3, dim=1)
    assert (left.abs() * 2**0.5).tolist() == [pytest.approx([1, 1, 0])]
    assert (right.abs() * 2**0.5).tolist() == [pytest.approx([3, 4, 0])]
    assert codec.decode(payload).tolist() == [pytest.approx([1.5, 2, 0, 1.5, 2, 0, 0, 0, 0])]
    assert torch.equal(state["right"], right)


def test_agrees_with_a_plain_loop_over_rounds() -> None:
    codec, x_KD = PowerSGD(rank=2).fitted([(7, 9), (5, 4, 3)]), rows(2, 123)
    state = codec.start(2, 123)
    rights = [d.double().numpy() for d in draws(0, 1).normal(2 * 9 + 2 * 12).split([18, 24], dim=1)]
    for round in range(3):
        state, payload = codec.encode(state, x_KD, draws(0, 1, round=round))
        found_KD = codec.decode(payload).numpy()
        for row in range(2):
            parts = x_KD[row].double().numpy()[:63].reshape(7, 9), x_KD[row].double().numpy()[63:].reshape(5, 12)
            for number, (matrix, arrived) in enumerate(zip(parts, np.split(found_KD[row], [63]), strict=True)):
                expected, right = factored(matrix, rights[number][row].reshape(-1, 2))
                np.testing.assert_allclose(arrived.reshape(matrix.shape), expected, atol=1e-4)
                rights[number][row] = right.reshape(-1)


@PROPERTY
@given(
    st.lists(st.lists(st.integers(1, 9), max_size=3).map(tuple), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_what_arrives_is_a_projection(shapes: Sequence[tuple[int, ...]], rank: int, seed: int) -> None:
    """‖decode - x‖² = ‖x‖² - ‖decode‖²; and never more values are sent than there are."""
    columns = sum(int(np.prod(shape)) for shape in shapes)
    codec, x_KD = PowerSGD(rank=rank).fitted(shapes), rows(2, columns, seed)
    found_KD = round_trip(codec, x_KD).double()
    lost_K, kept_K, whole_K = ((y**2).sum(1) for y in (found_KD - x_KD, found_KD, x_KD.double()))
    torch.testing.assert_close(lost_K, whole_K - kept_K, rtol=1e-4, atol=1e-4)
    assert codec.width(columns) <= columns


@PROPERTY
@given(st.integers(3, 12), st.integers(3, 12), st.integers(1, 2), st.integers(0, 99))
def test_matrices_of_low_rank_arrive_as_they_are(m: int, n: int, rank: int, seed: int) -> None:
    left, right = rows(m, rank, seed), rows(n, rank, seed + 1)
    x_KD = (left @ right.T).reshape(1, -1)
    torch.testing.assert_close(round_trip(PowerSGD(rank=rank).fitted([(m, n)]), x_KD), x_KD, rtol=1e-3, atol=1e-3)


def test_over_rounds_it_finds_the_best_factors() -> None:
    """Of a matrix that stays the same no round keeps less than the one before, and the last as much as the SVD."""
    codec, x_KD = PowerSGD(rank=2), rows(1, 100)
    state, kept = codec.start(1, 100), []
    for round in range(60):
        state, payload = codec.encode(state, x_KD, draws(0, round=round))
        kept.append(codec.decode(payload).norm().item())
    assert all(later >= earlier * (1 - 1e-6) for earlier, later in pairwise(kept))
    assert kept[-1] == pytest.approx(torch.linalg.svdvals(x_KD.view(10, 10))[:2].norm().item(), rel=1e-3)
    assert kept[0] < 0.95 * kept[-1]


def test_vectors_and_small_matrices_are_sent_as_they_are() -> None:
    codec, x_KD = PowerSGD(rank=2).fitted(SHAPES), rows(3, COLUMNS)
    assert codec.width(COLUMNS) == 2 * (8 + 6) + 8 + 1 + 2 * (6 + 5) + 4
    found_KD = round_trip(codec, x_KD)
    assert torch.equal(found_KD[:, 48:57], x_KD[:, 48:57])
    assert torch.equal(found_KD[:, 87:], x_KD[:, 87:])
    assert not torch.allclose(found_KD[:, :48], x_KD[:, :48])


def test_rows_of_another_length_are_one_matrix() -> None:
    fitted, x_KD = PowerSGD().fitted(SHAPES), rows(2, 50)
    assert fitted.width(50) == 2 * (8 + 7)
    assert torch.equal(round_trip(fitted, x_KD), round_trip(PowerSGD(), x_KD))


def test_the_shapes_are_no_hyperparameter() -> None:
    codec = PowerSGD(rank=3)
    assert codec.fitted(SHAPES).as_mapping() == {"name": "powersgd", "rank": 3}
    assert codec == PowerSGD(rank=3), "the codec itself has changed"
    wrapped = build(Codec, {"name": "error_feedback", "codec": ["powersgd", "float16"]}).fitted(SHAPES)
    assert wrapped.width(COLUMNS) == PowerSGD().fitted(SHAPES).width(COLUMNS)


def test_a_matrix_of_zeros_does_not_end_the_search() -> None:
    """In a later round, where only rows are not 0 that the first columns of P do not reach."""
    codec, x_KD = PowerSGD(rank=1).fitted([(5, 5), (4, 4)]), torch.zeros(1, 41)
    x_KD[:, 25:] = 1.0
    state, payload = codec.encode(codec.start(1, 41), x_KD, draws(0))
    torch.testing.assert_close(codec.decode(payload), x_KD)
    x_KD[:, 20:25] = 1.0
    state, payload = codec.encode(state, x_KD, draws(0, round=1))
    torch.testing.assert_close(codec.decode(payload), x_KD)


def test_one_broken_round_does_not_break_the_next() -> None:
    codec, x_KD = PowerSGD().fitted(SHAPES), rows(2, COLUMNS)
    broken_KD = x_KD.clone()
    broken_KD[0, 50] = torch.nan
    broken_KD[1, :48] = 3e38
    state, payload = codec.encode(codec.start(2, COLUMNS), broken_KD, draws(0, 1))
    assert codec.decode(payload)[0].isnan().all()
    assert not codec.decode(payload)[1].isfinite().all()
    state, payload = codec.encode(state, x_KD, draws(0, 1, round=1))
    assert codec.decode(payload).isfinite().all()


def test_error_feedback_sends_what_it_lost() -> None:
    codec, x_KD = ErrorFeedback(codec=PowerSGD(rank=1)).fitted([(10, 10)]), rows(1, 100)
    state, arrived_KD = codec.start(1, 100), torch.zeros(1, 100)
    for round in range(200):
        state, payload = codec.encode(state, x_KD, draws(0, round=round))
        arrived_KD += codec.decode(payload)
    assert (arrived_KD / 200 - x_KD).norm() < 0.1 * x_KD.norm()


def test_its_values_can_be_encoded_further_and_it_stands_first() -> None:
    codec, x_KD = Codec.chain(["powersgd", "float16"]), rows(2, 50)
    _, payload = codec.encode(codec.start(2, 50), x_KD, draws(0, 1))
    assert payload.bytes_K.tolist() == [2 * 2 * (8 + 7)] * 2
    torch.testing.assert_close(codec.decode(payload), round_trip(PowerSGD(), x_KD), rtol=1e-2, atol=1e-2)
    with pytest.raises(InputError, match="first place"):
        Codec.chain(["float16", "powersgd"])
