import math

import torch

from holdfast.models import TanhMlp


def test_one_place_by_plain_loops():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = TanhMlp(hidden=(3, 2)).build((2,), 1)
    a1, b1, a2, b2, a3, b3 = (p.double().tolist() for p in model.parameters())
    h = [0.5, -2.0]
    for a, b in ((a1, b1), (a2, b2)):
        h = [math.tanh(sum(w * v for w, v in zip(row, h, strict=True)) + c) for row, c in zip(a, b, strict=True)]
    z = sum(w * v for w, v in zip(a3[0], h, strict=True)) + b3[0]
    assert abs(model(torch.tensor([[0.5, -2.0]])).item() - z) < 1e-6
