from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.catalogue import build, catalogue
from holdfast.codecs import Codec
from holdfast.codecs.error_feedback import ErrorFeedback
from holdfast.codecs.top_k import TopK
from holdfast.errors import InputError

from ..contract import PROPERTY
from .draws import draws, rows

INSIDE = [name for name in catalogue("codecs") if not build(Codec, name).differences]
CHAIN = [{"name": "top_k", "fraction": 0.2}, "int8"]


def test_by_hand() -> None:
    codec = ErrorFeedback(codec=TopK(fraction=0.5))
    state, payload = codec.encode(codec.start(1, 2), torch.tensor([[3.0, 2.0]]), draws(0))
    assert codec.decode(payload).tolist() == [[3.0, 0.0]]
    state, payload = codec.encode(state, torch.tensor([[3.0, 2.0]]), draws(0, round=1))
    assert codec.decode(payload).tolist() == [[0.0, 4.0]]
    assert state["residual"].tolist() == [[3.0, 0.0]]


@pytest.mark.parametrize("inner", ["top_k", "int8", CHAIN])
def test_what_is_sent_and_what_is_kept_add_up(inner: object) -> None:
    """Over all rounds: the sum of what arrived and the residual is the sum of what was to be sent."""
    codec = ErrorFeedback(codec=inner)
    state, arrived_KD, meant_KD = codec.start(3, 20), torch.zeros(3, 20), torch.zeros(3, 20)
    for round in range(6):
        x_KD = rows(3, 20, seed=round)
        state, payload = codec.encode(state, x_KD, draws(0, 1, 2, round=round))
        arrived_KD, meant_KD = arrived_KD + codec.decode(payload), meant_KD + x_KD
        torch.testing.assert_close(arrived_KD + state["residual"], meant_KD, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inner", [*INSIDE, CHAIN], ids=str)
@settings(PROPERTY, max_examples=15)
@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([torch.inf, torch.nan])), min_size=2, max_size=9)
)
def test_around_every_codec_the_residual_is_what_did_not_arrive(inner: object, values: list[float]) -> None:
    codec, x_KD = ErrorFeedback(codec=inner), torch.tensor([values, values[::-1]])
    state = codec.start(2, len(values))
    for round in range(2):
        whole_KD = x_KD + state["residual"]
        state, payload = codec.encode(state, x_KD, draws(0, 1, round=round))
        lost_KD, arrived_KD = state["residual"], codec.decode(payload)
        assert lost_KD.isfinite().all()
        there = arrived_KD.isfinite() & whole_KD.isfinite()
        assert torch.equal(lost_KD, (whole_KD - arrived_KD).where(there, 0))
        rounding_KD = 2.0**-23 * (whole_KD.abs() + arrived_KD.abs())
        assert ((lost_KD + arrived_KD - whole_KD).abs() <= rounding_KD)[there].all()


def test_its_template_is_that_of_the_codec_inside() -> None:
    template = ErrorFeedback(codec="threshold").template(9)
    assert {name: lengths_K.tolist() for name, lengths_K in template.lengths.items()} == {"indices": [9], "kept": [9]}


def test_one_broken_round_does_not_break_the_next() -> None:
    codec = ErrorFeedback(codec=CHAIN)
    broken_KD = rows(2, 20)
    broken_KD[0, 3] = torch.nan
    state, payload = codec.encode(codec.start(2, 20), broken_KD, draws(0, 1))
    assert not codec.decode(payload)[0].isfinite().all()
    assert codec.decode(payload)[1].isfinite().all()
    state, payload = codec.encode(state, rows(2, 20, seed=9), draws(0, 1, round=1))
    assert codec.decode(payload).isfinite().all()


def test_stands_first() -> None:
    first = Codec.chain([{"name": "error_feedback", "codec": "top_k"}, "int8"])
    state, payload = first.encode(first.start(2, 30), rows(2, 30), draws(0, 1))
    assert state["0.residual"].shape == (2, 30)
    assert first.decode(payload).shape == (2, 30)
    with pytest.raises(InputError, match="first place"):
        Codec.chain(["top_k", "error_feedback"])


def test_reads_and_writes_a_chain() -> None:
    codec = build(Codec, {"name": "error_feedback", "codec": CHAIN})
    assert codec.as_mapping()["codec"] == [CHAIN[0], {"name": "int8", "block": 1024}]
    assert codec.width(20) == 4
    with pytest.raises(InputError, match=r"codec\.name must be one of the codecs"):
        ErrorFeedback(codec="top_j")
