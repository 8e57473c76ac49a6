import pytest
import torch

from holdfast.errors import InputError
from holdfast.models import Mlp


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_the_default_has_79510_parameters_on_mnist():
    assert parameters(Mlp().build((1, 28, 28), 10)) == 784 * 100 + 100 + 100 * 10 + 10 == 79_510


def test_hand_computed_answer():
    network = Mlp(hidden=(2,)).build((2,), 1)
    first, _, last = list(network)[1:]
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -4.0]]))
        first.bias.copy_(torch.tensor([0.5, 0.0]))
        last.weight.copy_(torch.tensor([[10.0, 100.0]]))
        last.bias.copy_(torch.tensor([1.0]))
    # Hidden units: 1 + 2 + 0.5 = 3.5, and 3 - 4 = -1, which the ReLU cuts to 0.
    assert network(torch.tensor([[1.0, 1.0]])).tolist() == [[36.0]]


def test_lists_from_an_experiment_file_become_tuples():
    assert Mlp(hidden=[7, 8]).hidden == (7, 8)
    assert parameters(Mlp(hidden=[]).build((4,), 2)) == 10


def test_dropout_works_in_training_only():
    network = Mlp(dropout=0.9).build((4,), 2)
    x = torch.ones(1, 4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("wrong", [{"hidden": (0,)}, {"hidden": (5, -1)}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_hyperparameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Mlp(**wrong)
