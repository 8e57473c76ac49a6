from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast import kernels
from holdfast.aggregators.mixture import Mixture
from holdfast.kernels import Ranks

from ..contract import PROPERTY
from .oracles import normal_rows


def median(rows: int) -> Ranks:
    return Ranks.of(rows, lambda m: ((m - 1) // 2, m // 2 + 1))


@PROPERTY
@given(st.integers(0, 10**6))
def test_is_what_it_would_be_written_down(seed: int) -> None:
    """Two stages of mixing, then every way in which a rule may look at the result."""
    x_MD, first_QM, second_RQ = normal_rows(seed, 6, 9), normal_rows(seed + 1, 5, 6), normal_rows(seed + 2, 3, 5)
    written_RD = second_RQ @ first_QM @ x_MD
    mixture, plain = Mixture(x_MD).mixed(first_QM).mixed(second_RQ), Mixture(written_RD)
    weights_R, pivot_D = normal_rows(seed + 3, 3), normal_rows(seed + 4, 9)
    assert mixture.rows == 3
    close = torch.testing.assert_close
    close(mixture.tensor(), written_RD)
    close(torch.cat(list(mixture.blocks()), -1), written_RD)
    close(mixture.combined(weights_R), weights_R @ written_RD)
    close(mixture.ordered(median(3)), written_RD.median(0).values)
    close(mixture.geometry.squared_PP, plain.geometry.squared_PP, rtol=1e-7, atol=1e-7)
    close(mixture.seen_from(pivot_D).squared_PP, plain.seen_from(pivot_D).squared_PP, rtol=1e-7, atol=1e-7)


def test_what_has_no_share_may_hold_anything() -> None:
    x_MD = torch.tensor([[1.0, 2.0], [torch.nan, torch.inf], [3.0, 6.0]])
    mixture = Mixture(x_MD).mixed(torch.tensor([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]]))
    assert mixture.tensor().tolist() == [[2.0, 4.0], [1.0, 2.0]]
    assert mixture.ordered(median(2)).tolist() == [1.5, 3.0]
    assert mixture.combined(torch.tensor([0.0, 1.0])).tolist() == [1.0, 2.0]
    assert mixture.geometry.between_MM.tolist() == [[0.0, 5.0], [5.0, 0.0]]


def test_blocks_are_all_columns_in_order() -> None:
    x_MD, limit = normal_rows(1, 3, 10), kernels.BLOCK_NUMBERS
    try:
        kernels.BLOCK_NUMBERS = 9
        blocks = list(Mixture(x_MD).blocks())
    finally:
        kernels.BLOCK_NUMBERS = limit
    assert [block.shape[1] for block in blocks] == [3, 3, 3, 1]
    assert torch.equal(torch.cat(blocks, 1), x_MD)
