"""What every codec promises."""

from __future__ import annotations

import pytest
import torch

from holdfast.catalogue import build, catalogue
from holdfast.codecs import Codec, Payload

from .codecs.draws import draws, rows
from .contract import check_component

every = pytest.mark.parametrize("name", list(catalogue("codecs")))
K, D = 4, 50


def real(payload: Payload, name: str, row: int) -> torch.Tensor:
    """What one row of a tensor sends."""
    tensor = payload.tensors[name][row]
    return tensor[: payload.lengths[name][row]] if name in payload.lengths else tensor


@every
def test_is_a_component(name: str) -> None:
    check_component(catalogue("codecs")[name], Codec)


@every
@pytest.mark.parametrize("columns", [1, 7, 50])
def test_rows_arrive_as_rows(name: str, columns: int) -> None:
    codec, x_KD = build(Codec, name), rows(K, columns)
    before_KD, start = x_KD.clone(), codec.start(K, columns)
    state, payload = codec.encode(start, x_KD, draws(*range(K)))
    found_KD = codec.decode(payload)
    assert (found_KD.shape, found_KD.dtype) == ((K, columns), torch.float32)
    assert found_KD.isfinite().all()
    assert torch.equal(x_KD, before_KD), "changed its input"
    assert payload.columns == columns
    assert state.keys() == start.keys()
    assert all(len(value) == K for value in state.values())
    assert all(len(tensor) == K for tensor in payload.tensors.values())
    if "values" in payload.tensors:
        assert payload.tensors["values"].shape == (K, codec.width(columns))


@every
def test_ragged_tensors_say_what_is_real_and_pad_it_with_zeros(name: str) -> None:
    codec = build(Codec, name)
    payload = codec.encode(codec.start(K, D), rows(K, D), draws(*range(K)))[1]
    for key, lengths_K in payload.lengths.items():
        tensor = payload.tensors[key]
        assert (lengths_K.dtype, lengths_K.shape) == (torch.int64, (K,))
        assert tensor.shape == (K, lengths_K.max())
        assert all(not tensor[row, lengths_K[row] :].any() for row in range(K))


@every
def test_a_row_is_encoded_alike_alone_and_among_others(name: str) -> None:
    codec, x_KD = build(Codec, name), rows(K, D)
    _, together = codec.encode(codec.start(K, D), x_KD, draws(*range(K)))
    for row in range(K):
        _, alone = codec.encode(codec.start(1, D), x_KD[row : row + 1], draws(row))
        assert list(alone.tensors) == list(together.tensors)
        for key in alone.tensors:
            assert torch.equal(real(together, key, row), real(alone, key, 0))


@every
@pytest.mark.parametrize("broken", [torch.nan, torch.inf, -torch.inf])
def test_a_broken_row_stays_broken_and_breaks_no_other(name: str, broken: float) -> None:
    codec, x_KD = build(Codec, name), rows(K, D)
    x_KD[2, 17] = broken
    found_KD = codec.decode(codec.encode(codec.start(K, D), x_KD, draws(*range(K)))[1])
    assert found_KD.isfinite().all(1).tolist() == [True, True, False, True]


@every
def test_nothing_arrives_as_nothing(name: str) -> None:
    codec = build(Codec, name)
    found_KD = codec.decode(codec.encode(codec.start(1, D), torch.zeros(1, D), draws(0))[1])
    assert torch.equal(found_KD, torch.zeros(1, D))


@every
def test_takes_fewer_bytes_than_float32(name: str) -> None:
    codec = build(Codec, name)
    x_KD = rows(K, D)
    x_KD[:, D // 2 :] = 0  # what loses nothing makes less only of what repeats
    _, payload = codec.encode(codec.start(K, D), x_KD, draws(*range(K)))
    assert 0 < payload.bytes_K.max() < 4 * D


@every
def test_no_rows_are_no_trouble(name: str) -> None:
    codec = build(Codec, name)
    _, payload = codec.encode(codec.start(0, D), torch.zeros(0, D), draws())
    assert codec.decode(payload).shape == (0, D)


@every
def test_the_template_is_what_any_row_looks_like(name: str) -> None:
    codec = build(Codec, name)
    template, payload = codec.template(D), codec.encode(codec.start(K, D), rows(K, D), draws(*range(K)))[1]
    assert list(template.tensors) == list(payload.tensors)
    assert template.lengths.keys() == payload.lengths.keys()
    for key, tensor in payload.tensors.items():
        greatest = template.tensors[key]
        assert tensor.dtype == greatest.dtype
        if key in payload.lengths:
            assert template.lengths[key].tolist() == [greatest.shape[1]]
            assert tensor.shape[1] <= greatest.shape[1]
        else:
            assert tensor.shape[1:] == greatest.shape[1:]
