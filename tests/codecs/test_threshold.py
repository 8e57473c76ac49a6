from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs import Codec, Payload
from holdfast.codecs.threshold import Threshold
from holdfast.errors import InputError

from ..contract import PROPERTY
from .draws import draws, rows


def encoded(codec: Threshold, x_KD: torch.Tensor) -> Payload:
    return codec.encode({}, x_KD, draws(*range(len(x_KD))))[1]


def test_by_hand() -> None:
    """The root mean square of (1, -7, 5, 5) is 5; of (2, 0, 0, 0) it is 1; of zeros nothing is sent."""
    x_KD = torch.tensor([[1.0, -7.0, 5.0, 5.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    payload = encoded(Threshold(tau=1.0), x_KD)
    assert payload.tensors["indices"].tolist() == [[1, 2, 3], [2, 0, 0], [0, 0, 0]]
    assert payload.tensors["kept"].tolist() == [[-7.0, 5.0, 5.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert payload.bytes_K.tolist() == [8 + 24, 8 + 8, 8]
    assert Threshold().decode(payload).tolist() == [[0.0, -7.0, 5.0, 5.0], [0.0, 0.0, 2.0, 0.0], [0.0] * 4]


@PROPERTY
@given(
    st.lists(st.lists(st.integers(-50, 50).map(float), min_size=6, max_size=6), min_size=1, max_size=4),
    st.floats(0.01, 60),
    st.booleans(),
)
def test_agrees_with_a_plain_loop(table: list[list[float]], tau: float, relative: bool) -> None:
    codec = Threshold(tau=tau, relative=relative)
    payload = encoded(codec, torch.tensor(table))
    for row, values in enumerate(table):
        limit = tau * math.sqrt(sum(v**2 for v in values) / 6) if relative else tau
        sure = [i for i, v in enumerate(values) if v and abs(v) >= limit * (1 + 1e-9)]
        perhaps = [i for i, v in enumerate(values) if v and abs(v) >= limit * (1 - 1e-9)]
        sent = payload.tensors["indices"][row, : payload.lengths["indices"][row]].tolist()
        assert set(sure) <= set(sent) <= set(perhaps)
        assert codec.decode(payload)[row].tolist() == [v if i in sent else 0.0 for i, v in enumerate(values)]


def test_rows_whose_squares_overflow_have_a_root_mean_square() -> None:
    x_KD = torch.tensor([[3e30, 1e30, 0.0, 0.0]])
    assert encoded(Threshold(), x_KD).tensors["indices"].tolist() == [[0]]


@pytest.mark.parametrize("codec", [Threshold(), Threshold(tau=1e-9), Threshold(tau=1e9, relative=False)])
def test_broken_values_are_sent(codec: Threshold) -> None:
    x_KD = torch.tensor([[1.0, torch.nan, -torch.inf, 0.0]])
    found_KD = codec.decode(encoded(codec, x_KD))
    assert found_KD.isfinite().tolist() == [[True, False, False, True]]


LIES = {
    "beyond the row": ([0, 9], 2, 2),
    "before it": ([-1, 2], 2, 2),
    "twice": ([2, 2], 2, 2),
    "descending": ([2, 1], 2, 2),
    "far out": ([2**31 - 1, -(2**31)], 2, 2),
    "more than there are": ([0, 1], 3, 3),
    "fewer than none": ([0, 1], -1, -1),
    "two opinions": ([0, 1], 2, 1),
    "very many": ([0, 1], 2**62, 2**62),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_peer_that_lies_breaks_its_own_row_alone(lie: str) -> None:
    indices, length, other = LIES[lie]
    tensors = {"indices": torch.tensor([indices, [3, 0]], dtype=torch.int32), "kept": torch.ones(2, 2)}
    lengths = {"indices": torch.tensor([length, 1]), "kept": torch.tensor([other, 1])}
    found_KD = Threshold().decode(Payload(tensors, 4, lengths))
    assert found_KD[0].isnan().all()
    assert found_KD[1].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_a_peer_whose_values_are_fewer_than_its_indices_breaks_its_own_row_alone() -> None:
    tensors = {"indices": torch.tensor([[0, 1]], dtype=torch.int32), "kept": torch.ones(1, 1)}
    lengths = {"indices": torch.tensor([2]), "kept": torch.tensor([2])}
    assert Threshold().decode(Payload(tensors, 4, lengths)).isnan().all()


def test_what_is_padding_does_not_count() -> None:
    tensors = {"indices": torch.tensor([[1, -7]], dtype=torch.int32), "kept": torch.tensor([[2.0, torch.nan]])}
    lengths = {"indices": torch.tensor([1]), "kept": torch.tensor([1])}
    assert Threshold().decode(Payload(tensors, 3, lengths)).tolist() == [[0.0, 2.0, 0.0]]


def test_must_stand_last() -> None:
    with pytest.raises(InputError, match="leave values for the next codec"):
        Codec.chain(["threshold", "float16"]).encode({}, rows(1, 4), draws(0))
