import pytest
import torch

from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.models import Model

# Those of other packages, and of text, have tests of their own.
OURS = {n: c for n, c in catalogue("models").items() if not {"architecture", "heads"} & set(c.model_fields)}


@pytest.fixture(params=OURS.values(), ids=OURS)
def model(request):
    return request.param()


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_a_batch_becomes_a_row_of_outputs_a_sample(model, shape):
    assert model.build(shape, 7)(torch.zeros(4, *shape)).shape == (4, 7)


def test_every_parameter_gets_a_finite_gradient(model):
    network = model.build((1, 28, 28), 10)
    x = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    torch.nn.functional.cross_entropy(network(x), torch.arange(8)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_the_initial_values_are_those_of_torchs_seed(model):
    def values(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return torch.cat([p.detach().flatten() for p in model.build((1, 28, 28), 10).parameters()])

    assert torch.equal(values(1), values(1))
    assert not torch.equal(values(1), values(2))


def test_inputs_without_a_dimension_are_refused(model):
    with pytest.raises(InputError):
        model.build((), 10)


def test_it_survives_an_experiment_file(model):
    assert build(Model, model.as_mapping()) == model


def test_it_describes_itself(model):
    assert model.summary().endswith(".")
    assert all(field.description for field in type(model).model_fields.values())
