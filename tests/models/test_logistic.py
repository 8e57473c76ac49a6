import torch

from holdfast.models import Logistic


def test_it_is_one_affine_map_of_the_flattened_input():
    network = Logistic().build((2, 3), 4)
    weight, bias = (p.detach() for p in network.parameters())
    x = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1))
    loop = [
        [sum(float(weight[o, i]) * float(v) for i, v in enumerate(row.flatten())) + float(bias[o]) for o in range(4)]
        for row in x
    ]
    torch.testing.assert_close(network(x).detach(), torch.tensor(loop))


def test_flat_inputs_are_taken_too():
    assert Logistic().build((5,), 2)(torch.zeros(3, 5)).shape == (3, 2)
