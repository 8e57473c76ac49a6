from __future__ import annotations

import torch
import zstandard

from holdfast.codecs.zstd import Zstd

from .draws import draws


def test_a_higher_level_takes_fewer_bytes() -> None:
    x_KD = (torch.arange(20_000) * 7919 % 1000 % 37).float().unsqueeze(0)
    sizes = [int(Zstd(level=level).encode({}, x_KD, draws(0))[1].bytes_K[0]) for level in (1, 19)]
    assert sizes[1] < sizes[0]


def test_frames_that_do_not_say_what_they_hold_or_are_not_alone_are_refused() -> None:
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(b"12345678")
    frame = Zstd().press(b"1234")
    skipped = bytes.fromhex("502a4d18 04000000 00000000")
    assert Zstd().unpress(frame, 8) == b"1234"
    assert [Zstd().unpress(blob, 8) for blob in (silent, frame + frame)] == [None, None]
    assert not Zstd().unpress(skipped, 8)


def test_a_frame_that_holds_more_than_it_says_is_refused() -> None:
    frame = bytearray(Zstd().press(b"12345678"))
    place = frame.index(8, 4)  # the byte that says how many there are
    frame[place] = 4
    assert Zstd().unpress(bytes(frame), 8) is None
