import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holdfast.errors import InputError
from holdfast.models import Cnn


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_the_default_is_the_dinno_network_with_28440_parameters():
    convolution, first, last = 3 * 25 + 3, 3 * 12 * 12 * 64 + 64, 64 * 10 + 10
    assert parameters(Cnn().build((1, 28, 28), 10)) == convolution + first + last == 28_440


def plain_features(image, convolution):
    """Convolution, ReLU and max-pooling of one image, in plain loops."""
    weight, bias = convolution.weight.tolist(), convolution.bias.tolist()
    image, kernel = image.tolist(), len(weight[0][0])
    side = len(image[0]) - kernel + 1

    def at(o, y, x):
        total = bias[o]
        for c, plane in enumerate(image):
            for dy in range(kernel):
                for dx in range(kernel):
                    total += weight[o][c][dy][dx] * plane[y + dy][x + dx]
        return max(0.0, total)

    return [
        [
            [max(at(o, y + dy, x + dx) for dy in (0, 1) for dx in (0, 1)) for x in range(0, side - 1, 2)]
            for y in range(0, side - 1, 2)
        ]
        for o in range(len(weight))
    ]


def test_against_plain_loops():
    network = Cnn(channels=(2,), kernel=3, hidden=()).build((2, 7, 7), 3).double()
    x = torch.randn(1, 2, 7, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    features = torch.tensor(plain_features(x[0], network[0]), dtype=torch.float64).flatten()
    last = network[-1]
    torch.testing.assert_close(network(x)[0], last.weight @ features + last.bias)


@given(
    channels=st.lists(st.integers(1, 2), min_size=1, max_size=3),
    kernel=st.integers(1, 4),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_an_image_is_refused_only_if_a_layer_could_not_take_it(channels, kernel, height, width):
    least = 1
    for _ in channels:
        least = 2 * least + kernel - 1
    model = Cnn(channels=channels, kernel=kernel, hidden=())
    if min(height, width) < least:
        with pytest.raises(InputError, match=f"at least {least}x{least} pixels"):
            model.build((1, height, width), 2)
    else:
        assert model.build((1, height, width), 2)(torch.zeros(1, 1, height, width)).shape == (1, 2)


@pytest.mark.parametrize("shape", [(), (784,), (28, 28), (1, 1, 28, 28), (0, 28, 28)])
def test_inputs_that_are_no_images_are_refused(shape):
    with pytest.raises(InputError, match="channels, height, width"):
        Cnn().build(shape, 10)


def test_batch_norm_and_dropout_are_where_asked():
    kinds = [type(m) for m in Cnn(channels=(2, 3), kernel=3, batch_norm=True, dropout=0.5).build((1, 14, 14), 2)]
    block = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]
    assert kinds == [*block, *block, nn.Flatten, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


@pytest.mark.parametrize(
    "wrong", [{"channels": ()}, {"channels": (0,)}, {"kernel": 0}, {"hidden": (0,)}, {"dropout": 1.0}]
)
def test_hyperparameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Cnn(**wrong)
