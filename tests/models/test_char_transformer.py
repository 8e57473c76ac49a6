from math import erf, exp, sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from holdfast.catalogue import build
from holdfast.cohort import Cohort, Data
from holdfast.engines import StackedEngine
from holdfast.errors import InputError
from holdfast.models import CharTransformer, Model
from holdfast.optimizer import Optimizer
from holdfast.problems.python_docs import cross_entropy_of_text
from tests.contract import PROPERTY, check_component
from tests.small import cohort, rows, samples, seeded

TINY = CharTransformer(layers=2, width=4, heads=2)
LENGTH, CHARACTERS = 3, 5


def tiny() -> nn.Module:
    """A network of which every number, the biases and the norms too, is a random one."""

    def make() -> nn.Module:
        network = TINY.build((LENGTH,), CHARACTERS)
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.5)
        return network

    return seeded(make)


def text(samples: int, seed: int = 4, length: int = LENGTH) -> Tensor:
    return torch.randint(CHARACTERS, (samples, length), generator=torch.Generator().manual_seed(seed))


def linear(layer: nn.Linear, x: list[float]) -> list[float]:
    bias = [0.0] * layer.out_features if layer.bias is None else layer.bias.tolist()
    return [
        sum(a * v for a, v in zip(row, x, strict=True)) + b for row, b in zip(layer.weight.tolist(), bias, strict=True)
    ]


def norm(layer: nn.LayerNorm, x: list[float]) -> list[float]:
    mean = sum(x) / len(x)
    std = sqrt(sum((v - mean) ** 2 for v in x) / len(x) + layer.eps)
    weights = zip(x, layer.weight.tolist(), layer.bias.tolist(), strict=True)
    return [(v - mean) / std * weight + bias for v, weight, bias in weights]


def attention(layer: nn.Module, h: list[list[float]], heads: int) -> list[list[float]]:
    width = len(h[0])
    d = width // heads
    qkv = [linear(layer.qkv, x) for x in h]
    out = []
    for t in range(len(h)):
        mixed: list[float] = []
        for head in range(heads):
            part = slice(head * d, (head + 1) * d)
            q = qkv[t][:width][part]
            keys = [x[width : 2 * width][part] for x in qkv[: t + 1]]
            values = [x[2 * width :][part] for x in qkv[: t + 1]]
            powers = [exp(sum(a * b for a, b in zip(q, k, strict=True)) / sqrt(d)) for k in keys]
            mixed += [sum(p * v[i] for p, v in zip(powers, values, strict=True)) / sum(powers) for i in range(d)]
        out.append(linear(layer.out, mixed))
    return out


def add(x: list[float], y: list[float]) -> list[float]:
    return [a + b for a, b in zip(x, y, strict=True)]


def plain(network: nn.Module, characters: list[int], heads: int) -> list[list[float]]:
    """The logits of one text, in plain loops."""
    embedding, places = network.embedding.weight.tolist(), network.places.tolist()
    h = [add(embedding[c], place) for c, place in zip(characters, places, strict=True)]
    for block in network.blocks:
        first, attend = block.attention
        h = [add(x, y) for x, y in zip(h, attention(attend, [norm(first, x) for x in h], heads), strict=True)]
        second, widen, _, narrow = block.perceptron
        wide = [linear(widen, norm(second, x)) for x in h]
        bent = [[v * (1 + erf(v / sqrt(2))) / 2 for v in x] for x in wide]
        h = [add(x, linear(narrow, y)) for x, y in zip(h, bent, strict=True)]
    last, head = network.head
    return [linear(head, norm(last, x)) for x in h]


def test_the_logits_against_plain_loops():
    network = tiny().double()
    characters = text(4)
    expected = torch.tensor([plain(network, one, TINY.heads) for one in characters.tolist()], dtype=torch.float64)
    torch.testing.assert_close(network(characters), expected)


def test_the_parameters_of_the_default_are_those_of_its_layers():
    attention, perceptron, norms = 64 * 192 + 65 * 64, 65 * 256 + 257 * 64, 2 * 2 * 64
    expected = 97 * 64 + 64 * 64 + 2 * (attention + perceptron + norms) + 2 * 64 + 65 * 97
    assert sum(p.numel() for p in CharTransformer().build((64,), 97).parameters()) == expected == 116_321


@PROPERTY
@given(place=st.integers(0, LENGTH - 1), seed=st.integers(0, 100))
def test_no_place_sees_what_comes_after_it(place, seed):
    network, before = tiny(), text(1, seed)
    after = before.clone()
    after[0, place] = (after[0, place] + 1) % CHARACTERS
    one, other = network(before)[0], network(after)[0]
    assert torch.equal(one[:place], other[:place])
    assert not torch.isclose(one[place:], other[place:]).all(1).any()


def test_every_parameter_gets_a_gradient_that_is_no_rounding():
    network, inputs = tiny().double(), text(8)
    cross_entropy_of_text(network(inputs), inputs.roll(1, 0)).mean().backward()
    assert all(p.grad.isfinite().all() and (p.grad.abs() > 1e-9).all() for p in network.parameters())


def language(sizes: list[int]) -> Data:
    """Texts of four nodes, to be repeated with every character replaced by the next."""
    inputs = text(sum(sizes))
    both = inputs, (inputs + 1) % CHARACTERS
    return samples(sizes, train=both, test=both, metrics={"loss": cross_entropy_of_text}, classes=None)


def pair(model: nn.Module, data: Data) -> tuple[Cohort, Cohort]:
    return cohort(data, model), cohort(data, model, StackedEngine)


def test_the_engines_compute_the_same_gradients_from_batches_of_unequal_size():
    model, data = tiny().double(), language([4, 9, 2])
    one, other = pair(model, data)
    x_KD = rows(one, model)
    for a, b in zip(one.gradient(x_KD, batch_size=4), other.gradient(x_KD, batch_size=4), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("optimizer", [{"name": "sgd", "lr": 0.1}, {"name": "adamw", "lr": 0.003, "eps": 1e-6}])
def test_the_engines_train_the_same_models_in_float32(optimizer):
    model, data = seeded(lambda: CharTransformer().build((LENGTH,), CHARACTERS)), language([6, 6])
    one, other = pair(model, data)
    x_KD = one.engine.layout.row(model).expand(2, -1)
    (y_KD, _), (z_KD, _) = (k.train(x_KD, Optimizer(**optimizer), steps=5, batch_size=4) for k in (one, other))
    torch.testing.assert_close(y_KD, z_KD, atol=1e-5, rtol=0)
    assert (y_KD - x_KD).abs().max() > 1e-3


def test_both_engines_evaluate_the_same():
    model, data = tiny(), language([3, 5])
    one, other = pair(model, data)
    x_KD = rows(one, model, torch.float32)
    torch.testing.assert_close(one.evaluate(x_KD)["loss"], other.evaluate(x_KD)["loss"])


def test_the_initial_values_are_those_of_torchs_seed():
    first, same, other = (seeded(lambda: TINY.build((3,), 5), seed).places for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("shape", [(), (0,), (1, 28, 28), (64, 97)])
def test_inputs_that_are_no_lists_are_refused(shape):
    with pytest.raises(InputError, match=r"problem\.model must take inputs \(length,\)"):
        CharTransformer().build(shape, 97)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(InputError, match=r"heads must divide the width, but 'width 64 and heads 5'"):
        CharTransformer(heads=5).build((64,), 97)


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"width": 0}, {"heads": -1}])
def test_hyperparameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        CharTransformer(**wrong)


def test_it_is_a_component():
    check_component(CharTransformer, Model)
    assert build(Model, {"name": "char_transformer", "width": 8}) == CharTransformer(width=8)
