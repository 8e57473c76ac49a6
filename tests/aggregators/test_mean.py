from __future__ import annotations

import torch

from holdfast.aggregators.mean import Mean

from .oracles import as_lists, assert_near, normal_rows


def test_by_hand() -> None:
    x_MD = torch.tensor([[1.0, -2.0], [2.0, 0.0], [6.0, 5.0]])
    assert_near(Mean()(x_MD), [3.0, 1.0])
    assert_near(Mean()(x_MD, torch.tensor([1, 2, 1])), [11 / 4, 3 / 4])


def test_agrees_with_a_plain_loop() -> None:
    x_MD, weights_M = normal_rows(1, 5, 7), torch.tensor([3.0, 0.0, 1.0, 2.5, 9.0])
    rows, weights = as_lists(x_MD), weights_M.tolist()
    expected = [sum(w * row[d] for w, row in zip(weights, rows, strict=True)) / 15.5 for d in range(7)]
    assert_near(Mean()(x_MD, weights_M), expected)


def test_each_inbox_of_a_batch_has_its_own_weights() -> None:
    x_BMD, weights_BM = normal_rows(2, 3, 4, 5), normal_rows(3, 3, 4).abs()
    expected = torch.stack([Mean()(x, w) for x, w in zip(x_BMD, weights_BM, strict=True)])
    torch.testing.assert_close(Mean()(x_BMD, weights_BM), expected)


def test_broken_values_go_through_where_they_weigh_anything() -> None:
    x_MD = torch.tensor([[1.0, 1.0], [torch.nan, 1.0]])
    assert Mean()(x_MD).isnan().tolist() == [True, False]
    assert Mean()(x_MD, torch.tensor([1, 0])).tolist() == [1.0, 1.0]


def test_weights_that_are_all_zero_are_no_mean() -> None:
    assert Mean().aggregate({}, torch.ones(2, 3), torch.zeros(2))[1].isnan().all()


def test_the_weights_scale_does_not_matter() -> None:
    x_MD, weights_M = normal_rows(4, 3, 2), torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(Mean()(x_MD, weights_M), Mean()(x_MD, 1000 * weights_M))
