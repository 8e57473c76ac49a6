"""What holds of every lossless codec."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalogue import build
from holdfast.codecs import Codec, Payload
from holdfast.codecs.entropy import Lossless, _cut, _parts
from holdfast.errors import InputError

from ..contract import PROPERTY
from .draws import draws, rows

INNER = [None, "float16", "bfloat16", "top_k", "random_k", "threshold", "linspace", ["top_k", "int8"], "lz4"]
both = pytest.mark.parametrize("name", ["zstd", "lz4"])


def lossless(name: str, inner: object = None, shuffle: bool = True) -> Lossless:
    codec = build(Codec, {"name": name, "codec": inner, "shuffle": shuffle})
    assert isinstance(codec, Lossless)
    return codec


def encoded(codec: Codec, x_KD: torch.Tensor) -> Payload:
    return codec.encode(codec.start(*x_KD.shape), x_KD, draws(*range(len(x_KD))))[1]


def blobs(*contents: bytes, columns: int) -> Payload:
    """The payload of these blobs."""
    longest = max(map(len, contents))
    table = np.stack([np.frombuffer(c.ljust(longest, b"\0"), dtype=np.uint8) for c in contents])
    return Payload({"blob": torch.from_numpy(table)}, columns, {"blob": torch.tensor([len(c) for c in contents])})


def content(payload: Payload, row: int = 0) -> bytes:
    """The blob of a row."""
    return payload.tensors["blob"][row, : payload.lengths["blob"][row]].numpy().tobytes()


@both
def test_the_bytes_by_hand(name: str) -> None:
    """1.0 is 00 00 80 3f and 2.5 is 00 00 20 40: shuffled, all first bytes stand before all second ones."""
    x_KD = torch.tensor([[1.0, 2.5]])
    plain, shuffled = (lossless(name, shuffle=shuffle) for shuffle in (False, True))
    assert plain.unpress(content(encoded(plain, x_KD)), 8) == bytes.fromhex("0000803f 00002040")
    assert shuffled.unpress(content(encoded(shuffled, x_KD)), 8) == bytes.fromhex("00000000 8020 3f40")


@both
def test_the_lengths_of_ragged_tensors_stand_first(name: str) -> None:
    codec = lossless(name, {"name": "threshold", "tau": 2.0, "relative": False}, shuffle=False)
    row = codec.unpress(content(encoded(codec, torch.tensor([[1.0, 2.5, 0.0]]))), 99)
    assert row == bytes.fromhex("01000000 01000000 01000000 00002040")


@both
@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("shuffle", [True, False])
def test_what_the_codec_inside_sends_arrives_as_it_is(name: str, inner: object, shuffle: bool) -> None:
    x_KD = rows(3, 40)
    x_KD[1, ::2] = 0
    x_KD[2] = 0
    codec = lossless(name, inner, shuffle)
    expected_KD = x_KD if inner is None else build(Codec, inner).decode(encoded(build(Codec, inner), x_KD))
    payload = encoded(codec, x_KD)
    assert torch.equal(codec.decode(payload), expected_KD)
    assert payload.tensors["blob"].shape[1] <= codec.template(40).tensors["blob"].shape[1]


@PROPERTY
@given(
    st.lists(st.floats(width=32), min_size=1, max_size=40),
    st.sampled_from(["zstd", "lz4"]),
    st.booleans(),
)
def test_every_bit_of_float32_arrives(values: list[float], name: str, shuffle: bool) -> None:
    codec, x_KD = lossless(name, shuffle=shuffle), torch.tensor([values])
    found_KD = codec.decode(encoded(codec, x_KD))
    assert torch.equal(found_KD.view(torch.int32), x_KD.view(torch.int32))


@both
@pytest.mark.parametrize("columns", [1, 2, 100, 5000, 300_000])
def test_what_does_not_compress_fits_the_template(name: str, columns: int) -> None:
    codec = lossless(name, shuffle=False)
    noise = np.random.default_rng(1).integers(0, 2**31 - 2**24, (1, columns), dtype=np.int32)
    payload = encoded(codec, torch.from_numpy(noise).view(torch.float32))
    assert payload.lengths["blob"].item() <= codec.template(columns).tensors["blob"].shape[1]


@both
def test_shuffled_floats_of_a_like_size_take_no_more(name: str) -> None:
    x_KD = rows(1, 2000)
    sizes = [int(encoded(lossless(name, shuffle=shuffle), x_KD).bytes_K[0]) for shuffle in (True, False)]
    assert sizes[0] <= sizes[1]
    assert name != "zstd" or sizes[0] < 0.95 * 4 * 2000


def wrong(codec: Lossless, right: bytes) -> dict[str, bytes]:
    """Blobs that no honest sender makes."""
    return {
        "nothing": b"",
        "noise": bytes(range(7, 47)),
        "cut off": right[:-1],
        "too short a row": codec.press(b"\0" * 20),
        "too long a row": codec.press(b"\0" * 28),
        "a bomb": codec.press(b"\0" * 10**6),
    }


@both
@pytest.mark.parametrize("lie", wrong(lossless("zstd"), b""))
@pytest.mark.parametrize("inner", [None, "threshold", ["top_k", "int8"]])
def test_a_broken_blob_breaks_its_own_row_alone(name: str, lie: str, inner: object) -> None:
    codec, x_KD = lossless(name, inner), rows(2, 6)
    payload = encoded(codec, x_KD)
    lies = wrong(codec, content(payload))[lie]
    found_KD = codec.decode(blobs(lies, content(payload, 1), columns=6))
    assert found_KD[0].isnan().all()
    assert torch.equal(found_KD[1], codec.decode(payload)[1])


@both
@pytest.mark.parametrize("length", [-1, 10**6, 0])
def test_a_peer_that_lies_about_the_length_of_its_blob_breaks_its_own_row_alone(name: str, length: int) -> None:
    codec, x_KD = lossless(name), rows(2, 6)
    payload = encoded(codec, x_KD)
    payload.lengths["blob"][0] = length
    found_KD = codec.decode(payload)
    assert found_KD[0].isnan().all()
    assert torch.equal(found_KD[1], x_KD[1])


@both
@pytest.mark.parametrize("lengths", [(2, 2), (-1, 1), (9, 9), (3, 0), (1, 2)])
def test_a_peer_that_lies_about_ragged_lengths_breaks_its_own_row_alone(name: str, lengths: tuple[int, int]) -> None:
    """Three words follow, of which an honest row of one index and one value has two."""
    codec = lossless(name, "threshold", shuffle=False)
    row = np.array([*lengths, 0, 1, 2], dtype=np.int32).tobytes()
    assert codec.decode(blobs(codec.press(row), columns=4)).isnan().all()


@pytest.mark.parametrize("lengths", [(5, 0), (0, 5), (4, -1), (-1, 4)])
def test_lengths_beyond_the_template_are_refused_even_where_their_sum_is_right(lengths: tuple[int, int]) -> None:
    parts = _parts(build(Codec, "threshold").template(4))
    row = np.array([*lengths, *range(sum(lengths))], dtype=np.int32).tobytes()
    assert _cut(row, parts, shuffle=False) is None
    assert _cut(np.array([1, 1, 3, 0], dtype=np.int32).tobytes(), parts, shuffle=False) is not None


@both
def test_what_is_refused_is_never_unpacked(name: str) -> None:
    codec = lossless(name)
    bomb = codec.press(b"\0" * 10**6)
    assert codec.unpress(bomb, 10**6) == b"\0" * 10**6
    assert codec.unpress(bomb, 10**6 - 1) is None


@both
def test_it_fits_and_starts_the_codec_inside(name: str) -> None:
    codec = lossless(name, "powersgd").fitted([(6, 5), (7,)])
    state = codec.start(2, 37)
    assert state["right"].shape == (2, 10)
    state, payload = codec.encode(state, rows(2, 37), draws(0, 1))
    assert state["right"].any()
    assert torch.equal(codec.decode(payload)[:, 30:], rows(2, 37)[:, 30:])
    assert lossless(name).fitted([(6, 5)]) == lossless(name)


@both
def test_a_codec_of_differences_stands_outside(name: str) -> None:
    with pytest.raises(InputError, match="hold no codec of differences inside another codec"):
        lossless(name, "delta")
    assert build(Codec, {"name": "delta", "codec": name}).template(3).lengths.keys() == {"blob"}


@pytest.mark.parametrize(("name", "module"), [("zstd", "zstandard"), ("lz4", "lz4.block")])
def test_a_missing_library_is_named_before_anything_runs(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        InputError, match=rf"codec\.name must .* '{name}' was given.*pip install \"holdfast\[entropy\]\""
    ):
        build(Codec, {"name": "error_feedback", "codec": name})
