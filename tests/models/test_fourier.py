import math

import torch

from holdfast.models import Fourier


def network(**fields):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Fourier(**fields).build((2,), 1)


def test_the_default_is_the_network_for_maps():
    widths = [tuple(p.shape) for p in network().parameters()]
    assert widths[::2] == [(256, 2), (64, 256), (64, 64), (64, 64), (1, 64)]
    assert sum(p.numel() for p in network().parameters()) == 25_601


def test_one_place_by_plain_loops():
    model = network(hidden=(3, 2), scale=0.5)
    a1, b1, a2, b2, a3, b3 = (p.double().tolist() for p in model.parameters())
    x = [3.0, -2.0]
    h = [math.sin(0.5 * (sum(w * v for w, v in zip(row, x, strict=True)) + b)) for row, b in zip(a1, b1, strict=True)]
    h = [max(0.0, sum(w * v for w, v in zip(row, h, strict=True)) + b) for row, b in zip(a2, b2, strict=True)]
    z = sum(w * v for w, v in zip(a3[0], h, strict=True)) + b3[0]
    assert abs(model(torch.tensor([x])).item() - z) < 1e-6


def test_the_first_layer_starts_within_its_bound():
    first = network().get_parameter("1.linear.weight")
    bound = math.sqrt(6 / 256)
    assert 0.98 * bound < first.abs().max() <= bound
