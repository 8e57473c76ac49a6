from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs import Payload
from holdfast.codecs.layers import Layers

from ..contract import PROPERTY
from .draws import draws

SHAPES = [(2, 2), (3,), (1,), (5,), (1,), (1,), (2,), (1,), (1, 1), (4,)]
COLUMNS = 23


def test_by_hand() -> None:
    x_KD = torch.zeros(2, COLUMNS)
    x_KD[0, [1, 7]] = torch.tensor([2.0, -3.0])
    x_KD[1, 22] = 5.0
    payload = Layers().fitted(SHAPES).encode({}, x_KD, draws(0, 1))[1]
    assert payload.tensors["present"].tolist() == [[0b101, 0], [0, 0b10]]
    assert payload.tensors["kept"].tolist() == [[0, 2, 0, 0, -3], [0, 0, 0, 5, 0]]
    assert payload.lengths["kept"].tolist() == [5, 4]
    assert payload.bytes_K.tolist() == [2 + 4 + 20, 2 + 4 + 16]


@PROPERTY
@given(seed=st.integers(0, 2**32), shapes=st.lists(st.integers(1, 9), min_size=1, max_size=20), fits=st.booleans())
def test_loses_nothing(seed: int, shapes: list[int], fits: bool) -> None:
    source = torch.Generator().manual_seed(seed)
    columns = sum(shapes) + (not fits)
    parts = torch.ones(columns).split([*shapes, *[1] * (not fits)])
    holds_KL = torch.rand(3, len(parts), generator=source) < 0.5
    sizes = torch.tensor([len(part) for part in parts])
    x_KD = torch.randn(3, columns, generator=source) * holds_KL.repeat_interleave(sizes, dim=1)
    codec = Layers().fitted([(size,) for size in shapes])
    payload = codec.encode({}, x_KD, draws(0, 1, 2))[1]
    assert torch.equal(codec.decode(payload), x_KD)
    if fits:
        assert payload.lengths["kept"].tolist() == (holds_KL * sizes).sum(1).tolist()


@pytest.mark.parametrize("length", [-1, 0, 4, 6, 999])
def test_a_length_that_does_not_fit_breaks_its_row_alone(length: int) -> None:
    codec, x_KD = Layers().fitted(SHAPES), torch.zeros(2, COLUMNS)
    x_KD[:, [1, 7]] = 1.0
    payload = codec.encode({}, x_KD, draws(0, 1))[1]
    lied = Payload(payload.tensors, COLUMNS, {"kept": torch.tensor([5, length])})
    found_KD = codec.decode(lied)
    assert torch.equal(found_KD[0], x_KD[0])
    assert found_KD[1].isnan().all()


def test_tensors_that_do_not_exist_are_not_looked_at() -> None:
    codec, x_KD = Layers().fitted(SHAPES), torch.zeros(1, COLUMNS)
    payload = codec.encode({}, x_KD, draws(0))[1]
    payload.tensors["present"][:] = 0b11111100  # of 16 bits the last six are padding
    payload.tensors["present"][0, 0] = 0
    assert torch.equal(codec.decode(payload), x_KD)
