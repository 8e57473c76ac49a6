"""Dropout whose masks are addressed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from holdfast.dropout import AddressedDropout, address_dropout, addressed

CPU = torch.device("cpu")


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_of_it_is_zeroed_and_the_rest_scaled(p: float) -> None:
    layer, x = AddressedDropout(p, key=5), torch.ones(100, 100)
    out = layer(x)
    assert abs(float((out == 0).float().mean()) - p) < 0.02
    torch.testing.assert_close(out[out != 0].unique(), torch.tensor([1 / (1 - p)]))
    columns, rows = (out == 0).float().mean(0), (out == 0).float().mean(1)
    assert columns.std() < 2 * (p * (1 - p) / 100) ** 0.5
    assert rows.std() < 2 * (p * (1 - p) / 100) ** 0.5


def test_it_leaves_everything_in_evaluation_and_at_zero() -> None:
    x = torch.randn(7, 3)
    assert torch.equal(AddressedDropout(0.5).eval()(x), x)
    assert torch.equal(AddressedDropout(0.0)(x), x)


def test_keys_and_layers_have_masks_of_their_own() -> None:
    x = torch.ones(4000)
    masks = [AddressedDropout(0.5, layer, key)(x) > 0 for layer, key in [(0, 1), (0, 2), (1, 1), (2, 1), (0, -(2**63))]]
    for one in range(len(masks)):
        for other in range(one):
            assert abs(float((masks[one] == masks[other]).float().mean()) - 0.5) < 0.05


def test_the_first_samples_are_masked_alike_in_a_wider_batch() -> None:
    wide, narrow = (AddressedDropout(0.5, key=3)(torch.ones(samples, 2, 3)) for samples in (9, 4))
    assert torch.equal(wide[:4], narrow)


class Twice(nn.Module):
    """A network that uses one layer for two things."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.drop(x), self.drop(x)])


def test_two_uses_of_a_layer_have_masks_of_their_own_the_same_in_every_pass() -> None:
    model = Twice()
    address_dropout(model)
    first, again = model(torch.ones(4000)), model(torch.ones(4000))
    assert torch.equal(first, again)
    assert abs(float((first[0] == first[1]).float().mean()) - 0.5) < 0.05
    alone = AddressedDropout(0.5, layer=1)
    assert torch.equal(alone(torch.ones(4000)), first[0])


def test_vmap_is_a_loop() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.3)))
    names = address_dropout(model)
    keys, x = torch.tensor([3, -8, 2**62]), torch.rand(3, 6, 4)

    def one(key: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = functional_call(model, dict.fromkeys(names, key), (x,))
        return out

    assert torch.equal(vmap(one)(keys, x), torch.stack([one(k, row) for k, row in zip(keys, x, strict=True)]))


def test_every_dropout_of_a_network_is_addressed() -> None:
    shared = nn.Dropout(0.5)
    model = nn.ModuleDict(
        {"a": shared, "b": nn.Sequential(nn.Linear(2, 2), shared), "c": nn.Dropout(0.2, inplace=True)}
    )
    before = list(model.state_dict())
    assert address_dropout(model) == ["a.key", "b.1.key", "c.key"]
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())
    assert list(model.state_dict()) == before
    assert copy.deepcopy(model)["c"].p == 0.2
    x = torch.ones(1000)
    assert not torch.equal(model["a"](x), model["b"][1](x))


def test_other_draws_start_at_an_address_and_leave_the_generator_as_it_was() -> None:
    before = torch.get_rng_state()

    def draw(key: int) -> torch.Tensor:
        with addressed(key, CPU):
            return torch.rand(5)

    assert torch.equal(draw(-3), draw(-3))
    assert not torch.equal(draw(-3), draw(4))
    with pytest.raises(RuntimeError, match="size"), addressed(1, CPU):
        torch.rand(3) + torch.rand(2)
    assert torch.equal(before, torch.get_rng_state())
