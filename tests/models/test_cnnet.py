import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.models import Cnnet, Mlp


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_on_cifar_10_it_has_the_parameters_of_the_paper():
    first, second = 3 * 25 * 64 + 64, 64 * 25 * 64 + 64
    flat = 8 * 8 * 64
    layers = (flat * 384 + 384, 384 * 192 + 192, 192 * 10 + 10)
    assert parameters(Cnnet().build((3, 32, 32), 10)) == first + second + sum(layers) == 1_756_426


def test_the_papers_network_for_mnist_is_an_mlp():
    assert parameters(Mlp(hidden=(100,)).build((1, 28, 28), 10)) == 79_510


def pooled(plane):
    """A max-pooling over 3x3 in steps of 2 that reaches one pixel over each edge, in plain loops."""
    height, width = len(plane), len(plane[0])

    def at(y, x):
        near = [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        return max(plane[v][u] for v, u in near if 0 <= v < height and 0 <= u < width)

    return [[at(y, x) for x in range(0, width, 2)] for y in range(0, height, 2)]


def test_the_stages_against_plain_loops():
    network = Cnnet().build((1, 5, 6), 2).double()
    image = torch.randn(1, 1, 5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    convolution, relu, pool = network[:3]
    before = convolution(image)
    assert before.shape == (1, 64, 5, 6)
    expected = pooled([[max(0.0, v) for v in row] for row in before[0, 7].tolist()])
    assert pool(relu(before))[0, 7].tolist() == expected
    kinds = [nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    assert [type(m) for m in network] == [*kinds, *kinds, nn.Flatten, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]


@pytest.mark.parametrize("side", [1, 2, 3, 7, 28])
def test_images_of_any_size(side):
    assert Cnnet().build((2, side, side + 1), 4)(torch.zeros(3, 2, side, side + 1)).shape == (3, 4)


@pytest.mark.parametrize("shape", [(784,), (28, 28), (1, 1, 28, 28), (0, 28, 28), (1, 0, 28)])
def test_inputs_that_are_no_images_are_refused(shape):
    with pytest.raises(InputError, match="channels, height, width"):
        Cnnet().build(shape, 10)
