"""Differences to what the receiver holds."""

from __future__ import annotations

import pytest
import torch

from holdfast.catalogue import build
from holdfast.codecs import Codec, Delta
from holdfast.errors import InputError
from holdfast.experiment import Experiment

from .draws import draws, rows


def test_the_receiver_comes_ever_closer() -> None:
    codec = build(Codec, {"name": "delta", "codec": {"name": "top_k", "fraction": 0.25}})
    x_1D, held_1D, state = rows(1, 8), torch.zeros(1, 8), codec.start(1, 8)
    left = []
    for round in range(4):
        state, payload = codec.encode(state, x_1D, draws(0, round=round))
        held_1D = held_1D + codec.decode(payload)
        assert torch.equal(held_1D, state["reference"])
        left.append(float((x_1D - held_1D).norm()))
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0.0, "four times a quarter of a model that does not move is all of it"


def test_a_broken_difference_is_sent_and_not_kept() -> None:
    state, payload = Delta().encode(Delta().start(1, 2), torch.tensor([[torch.nan, 1.0]]), draws(0))
    assert Delta().decode(payload)[0, 0].isnan()
    assert state["reference"].tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    "inside", [["delta", "int8"], {"name": "error_feedback", "codec": "delta"}, {"name": "delta", "codec": "delta"}]
)
def test_it_stands_alone(inside: object) -> None:
    with pytest.raises(InputError, match="no codec of differences inside"):
        build(Codec, inside)


def test_it_is_for_the_way_down() -> None:
    with pytest.raises(InputError, match=r"codec must tell rows.*Use it as downlink"):
        Experiment(problem="digits", algorithm="fedavg", codec="delta")
    assert Experiment(problem="digits", algorithm="fedavg", downlink="delta").downlink == Delta()


def test_the_codec_inside_remembers() -> None:
    codec = build(Codec, {"name": "delta", "codec": {"name": "error_feedback", "codec": "int8"}})
    state, _ = codec.encode(codec.start(2, 5), rows(2, 5), draws(0, 1))
    assert set(state) == {"reference", "codec.residual"}
    assert codec.template(5).tensors.keys() == {"levels", "scales"}
    assert bool(state["codec.residual"].isfinite().all())
