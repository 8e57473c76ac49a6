from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs import Codec, Payload
from holdfast.codecs.top_k import TopK

from ..contract import PROPERTY
from .draws import draws, rows


def test_by_hand() -> None:
    codec = TopK(fraction=0.4)
    _, payload = codec.encode({}, torch.tensor([[1.0, -4.0, 2.0, 0.0, 3.0]]), draws(0))
    assert payload.tensors["indices"].tolist() == [[1, 4]]
    assert payload.tensors["values"].tolist() == [[-4.0, 3.0]]
    assert payload.tensors["indices"].dtype == torch.int32
    assert codec.decode(payload).tolist() == [[0.0, -4.0, 0.0, 0.0, 3.0]]


@pytest.mark.parametrize(("fraction", "columns", "width"), [(0.1, 5, 1), (0.1, 10, 1), (0.1, 11, 2), (1.0, 7, 7)])
def test_how_many_values_are_sent(fraction: float, columns: int, width: int) -> None:
    codec = TopK(fraction=fraction)
    assert codec.width(columns) == width
    assert codec.encode({}, rows(2, columns), draws(0, 1))[1].tensors["values"].shape == (2, width)


@PROPERTY
@given(st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=20), st.floats(0.01, 1))
def test_keeps_the_greatest_and_stays_within_its_bound(values: list[float], fraction: float) -> None:
    codec = TopK(fraction=fraction)
    k = codec.width(len(values))
    found = codec.decode(codec.encode({}, torch.tensor([values]), draws(0))[1])[0].tolist()
    assert all(f in (0.0, v) for f, v in zip(found, values, strict=True))
    lost = sorted((f - v) ** 2 for f, v in zip(found, values, strict=True))
    assert sum(lost) == sum(sorted(v**2 for v in values)[: len(values) - k])
    assert sum(lost) <= (1 - k / len(values)) * sum(v**2 for v in values) + 1e-9


def test_a_tie_goes_to_the_lower_column() -> None:
    _, payload = TopK(fraction=0.5).encode({}, torch.tensor([[1.0, -1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]), draws(0, 1))
    assert payload.tensors["indices"].tolist() == [[0, 1], [0, 1]]


def test_broken_values_go_first() -> None:
    x_KD = torch.tensor([[1e30, torch.nan, -torch.inf, 0.0]])
    codec = TopK(fraction=0.5)
    assert codec.decode(codec.encode({}, x_KD, draws(0))[1]).isfinite().tolist() == [[True, False, False, True]]


@pytest.mark.parametrize("indices", [[0, 9], [-1, 2], [2, 2], [2, 1], [2**31 - 1, -(2**31)]])
def test_a_peer_that_lies_about_places_breaks_its_own_row_alone(indices: list[int]) -> None:
    tensors = {"values": torch.ones(2, 2), "indices": torch.tensor([indices, [0, 3]], dtype=torch.int32)}
    found_KD = TopK().decode(Payload(tensors, columns=4))
    assert found_KD[0].isnan().all()
    assert found_KD[1].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_its_values_can_be_encoded_further() -> None:
    codec, x_KD = Codec.chain([{"name": "top_k", "fraction": 0.25}, "int8"]), rows(3, 40)
    _, payload = codec.encode({}, x_KD, draws(0, 1, 2))
    assert payload.bytes_K.tolist() == [10 * 4 + 10 + 4] * len(payload.tensors["1.levels"])
    alone_KD = TopK(fraction=0.25).decode(TopK(fraction=0.25).encode({}, x_KD, draws(0, 1, 2))[1])
    assert (codec.decode(payload) - alone_KD).abs().max() <= x_KD.abs().max() / 127
