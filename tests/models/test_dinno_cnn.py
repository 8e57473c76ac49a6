"""DiNNO's network for MNIST."""

from __future__ import annotations

import pytest
import torch

from holdfast.errors import InputError
from holdfast.models import Cnn, DinnoCnn


def test_it_has_28440_parameters():
    network = DinnoCnn().build((1, 28, 28), 10)
    assert sum(p.numel() for p in network.parameters()) == 3 * 25 + 3 + 432 * 64 + 64 + 64 * 10 + 10 == 28_440
    assert not list(network.buffers())


def test_it_is_cnn_on_standardised_images():
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(3))
    network = DinnoCnn(mean=0.5, deviation=0.25).build((1, 28, 28), 10)
    plain = Cnn().build((1, 28, 28), 10)
    plain.load_state_dict(network[1].state_dict())
    torch.testing.assert_close(network(x), plain(4 * x - 2))


def test_it_starts_where_cnn_starts():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        ours = list(DinnoCnn().build((1, 28, 28), 10).parameters())
        torch.manual_seed(5)
        plain = list(Cnn().build((1, 28, 28), 10).parameters())
    assert all(torch.equal(one, other) for one, other in zip(ours, plain, strict=True))


@pytest.mark.parametrize("deviation", [0.0, -1.0])
def test_a_deviation_is_above_0(deviation):
    with pytest.raises(InputError, match="deviation must be greater than 0"):
        DinnoCnn(deviation=deviation)
