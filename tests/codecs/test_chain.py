"""Codecs in order."""

from __future__ import annotations

import pytest
import torch

from holdfast.catalogue import build
from holdfast.codecs import Codec

from .draws import draws, rows


@pytest.mark.parametrize(
    "stages",
    [
        ["top_k", "threshold"],
        ["top_k", "zstd"],
        ["powersgd", "bfloat16", "lz4"],
        {"name": "zstd", "codec": ["top_k", "threshold"]},
        {"name": "error_feedback", "codec": ["top_k", "zstd"]},
    ],
    ids=str,
)
def test_a_chain_may_end_in_rows_of_different_lengths(stages: object) -> None:
    codec, x_KD = build(Codec, stages), rows(3, 60)
    _, payload = codec.encode(codec.start(3, 60), x_KD, draws(0, 1, 2))
    template = codec.template(60)
    assert list(template.tensors) == list(payload.tensors)
    assert template.lengths.keys() == payload.lengths.keys() != set()
    assert payload.bytes_K.max() < 4 * 60
    assert (codec.decode(payload) - x_KD).norm() < x_KD.norm()
    x_KD[1, 5] = torch.nan
    found_KD = codec.decode(codec.encode(codec.start(3, 60), x_KD, draws(0, 1, 2))[1])
    assert found_KD.isfinite().all(1).tolist() == [True, False, True]
