import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holdfast.problems.losses import accuracy, cross_entropy, hinge, r2, squared_error
from tests.contract import PROPERTY

SCORES = st.lists(st.lists(st.integers(-8, 8), min_size=3, max_size=3), min_size=1, max_size=5)


def test_hinge_by_hand():
    outputs = torch.tensor([[2.0, 0.5, 1.5], [3.0, 0.0, 1.0], [0.0, 0.0, 0.0], [-1.0, 4.0, 2.0]])
    # 1 + 1.5 - 2; 1 + 1 - 3 < 0; 1 + 0 - 0; 1 + 4 + 1
    assert hinge(outputs, torch.tensor([0, 0, 2, 0])).tolist() == [0.5, 0.0, 1.0, 6.0]


@given(SCORES, st.data())
@PROPERTY
def test_hinge_against_a_plain_loop(scores, data):
    targets = [data.draw(st.integers(0, 2)) for _ in scores]
    expected = [
        max(0, 1 + max(z for k, z in enumerate(row) if k != y) - row[y]) for row, y in zip(scores, targets, strict=True)
    ]
    assert hinge(torch.tensor(scores, dtype=torch.float64), torch.tensor(targets)).tolist() == expected


def test_two_classes_are_the_binary_hinge():
    outputs, targets = torch.tensor([[0.2, 0.9], [0.2, 0.9], [3.0, -1.0]]), torch.tensor([1, 0, 0])
    sign, score = 2.0 * targets - 1, outputs[:, 1] - outputs[:, 0]
    torch.testing.assert_close(hinge(outputs, targets), (1 - sign * score).clamp(min=0))


def test_the_gradient_of_hinge_lifts_the_own_score_and_lowers_the_best_other():
    outputs = torch.tensor([[2.0, 0.5, 1.5], [3.0, 0.0, 1.0]], requires_grad=True)
    hinge(outputs, torch.tensor([0, 0])).sum().backward()
    assert outputs.grad.tolist() == [[-1, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize("loss", [hinge, cross_entropy, squared_error])
def test_losses_are_the_same_in_a_stack(loss):
    """The stacked engine maps them over models."""
    source = torch.Generator().manual_seed(1)
    outputs, values = torch.randn(2, 4, 6, 3, generator=source)
    targets = values if loss is squared_error else values.argmax(-1)

    def total(z, y):
        return loss(z, y).sum()

    stacked = torch.func.vmap(torch.func.grad(total))(outputs, targets)
    for row in range(4):
        torch.testing.assert_close(stacked[row], torch.func.grad(total)(outputs[row], targets[row]))


def test_a_nan_stays_a_nan():
    outputs = torch.tensor([[math.nan, 0.0], [0.0, math.nan]])
    assert hinge(outputs, torch.tensor([0, 0])).isnan().all()
    assert accuracy(outputs, torch.tensor([0, 1])).tolist() == [0, 0]


def test_squared_error_is_averaged_over_the_outputs_of_a_sample():
    outputs, targets = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 4.0], [3.0, 1.0]])
    assert squared_error(outputs, targets).tolist() == [2.0, 5.0]
    assert squared_error(torch.tensor([[3.0], [1.0]]), torch.tensor([[1.0], [1.0]])).tolist() == [4.0, 0.0]


def test_the_mean_of_r2_is_the_share_of_variance_explained():
    targets = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]], dtype=torch.float64)
    outputs = torch.tensor([[0.5], [-1.0], [0.0], [1.0]], dtype=torch.float64)
    residual, total = ((targets - outputs) ** 2).sum(), ((targets - targets.mean()) ** 2).sum()
    assert float(r2(outputs, targets).mean()) == pytest.approx(float(1 - residual / total))


def test_a_linear_layer_with_hinge_and_a_penalty_finds_the_widest_margin():
    inputs = torch.tensor([[2.0, 1.0], [3.0, -1.0], [-2.0, 1.0], [-3.0, -1.0]])
    targets, layer = torch.tensor([0, 0, 1, 1]), nn.Linear(2, 2)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    for step in range(400):
        loss = hinge(layer(inputs), targets).mean() + 0.5 * layer.weight.square().sum()
        for parameter, gradient in zip(layer.parameters(), torch.autograd.grad(loss, layer.parameters()), strict=True):
            parameter.data -= gradient / (1 + step)
    difference = (layer.weight[0] - layer.weight[1]).detach()
    # It lies between (2, 1) and (-2, 1): along the first axis, with a score of ±1 there.
    torch.testing.assert_close(difference, torch.tensor([0.5, 0.0]), atol=0.03, rtol=0)
