import math

import pytest
import torch

from holdfast.models import Siren


def network(**fields):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Siren(**fields).build((2,), 1)


def test_one_place_by_plain_loops():
    model = network(hidden=(3, 2), omega=4.0)
    a1, b1, a2, b2, a3, b3 = (p.double().tolist() for p in model.parameters())
    h = [0.5, -0.25]
    for a, b in ((a1, b1), (a2, b2)):
        h = [math.sin(4 * (sum(w * v for w, v in zip(row, h, strict=True)) + c)) for row, c in zip(a, b, strict=True)]
    z = sum(w * v for w, v in zip(a3[0], h, strict=True)) + b3[0]
    assert abs(model(torch.tensor([[0.5, -0.25]])).item() - z) < 1e-6


@pytest.mark.parametrize("omega", [1.0, 30.0])
def test_every_layer_starts_within_its_bound(omega):
    first, *rest = (p for p in network(omega=omega).parameters() if p.ndim == 2)
    assert 0.45 < first.abs().max() <= 0.5
    for weight in rest:
        bound = math.sqrt(6 / weight.shape[1]) / omega
        assert 0.9 * bound < weight.abs().max() <= bound


def test_what_enters_a_deep_sine_is_about_standard_normal():
    model = network(hidden=(512,) * 5)
    x = torch.rand(500, 2, generator=torch.Generator().manual_seed(2)) * 2 - 1
    hidden = list(model)[:5]
    with torch.no_grad():
        for layer in hidden:
            x = layer(x)
        entering = 30 * x @ model[5].linear.weight.T
    assert entering.std().item() == pytest.approx(1, abs=0.15)
