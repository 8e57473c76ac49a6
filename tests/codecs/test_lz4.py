from __future__ import annotations

import lz4.block

from holdfast.codecs.lz4 import Lz4


def test_a_blob_is_one_block_without_its_size() -> None:
    row = b"ab" * 500
    assert Lz4().press(row) == lz4.block.compress(row, store_size=True)[4:]
    assert Lz4().unpress(Lz4().press(row), 2000) == row
