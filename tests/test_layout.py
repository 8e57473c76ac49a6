"""Which columns of a row are what."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call

from holdfast.layout import Layout

from .odd_networks import ODD
from .small import MODELS, network, seeded

ALL = {**MODELS, **ODD}


@pytest.mark.parametrize("name", ALL)
def test_a_row_holds_everything_that_a_network_keeps(name: str) -> None:
    model = seeded(ALL[name])
    layout = Layout.of(model)
    x_D = layout.row(model)
    assert (x_D.shape, x_D.dtype) == ((layout.columns,), torch.float32)
    named = {name: view[0] for name, view in layout.views(x_D.unsqueeze(0)).items()}
    for name, kept in model.state_dict().items():
        if name in named:
            assert torch.equal(named[name], kept.float())
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    assert layout.parameters == sum(p.numel() for p in model.parameters() if id(p) in trained)
    assert list(layout.shapes)[: len(layout.parameter_names)] == list(layout.parameter_names)


def test_views_share_the_memory_of_the_rows() -> None:
    layout = Layout.of(network("batch_norm"))
    x_CD = torch.zeros(3, layout.columns)
    for number, view in enumerate(layout.views(x_CD).values(), start=1):
        view += number
    assert (x_CD > 0).all()
    assert torch.equal(x_CD[0], x_CD[2])


def test_a_buffer_stands_after_the_parameters() -> None:
    layout = Layout.of(network("batch_norm"))
    assert (layout.parameters, layout.columns) == (24 + 8 + 15, 24 + 8 + 15 + 4 + 4 + 1)
    assert [name.rpartition(".")[2] for name in list(layout.shapes)[-3:]] == [
        "running_mean",
        "running_var",
        "num_batches_tracked",
    ]


def test_what_is_frozen_is_no_parameter() -> None:
    layout = Layout.of(ODD["frozen"]())
    assert layout.parameter_names == ("last.weight", "last.bias")
    assert layout.columns - layout.parameters == 24


def test_a_shared_tensor_is_there_once() -> None:
    model = ODD["tied"]()
    layout = Layout.of(model)
    assert layout.columns == 25 + 5 + 5 + 18
    named = {name: view[0] for name, view in layout.views(torch.full((1, layout.columns), 2.0)).items()}
    x = torch.ones(1, 5)
    reference = ODD["tied"]()
    for p in reference.parameters():
        nn.init.constant_(p, 2.0)
    assert torch.equal(functional_call(model, named, (x,)), reference(x))


def test_a_buffer_that_is_not_kept_is_no_column() -> None:
    model = nn.Linear(2, 1)
    model.register_buffer("passing", torch.zeros(7), persistent=False)
    assert Layout.of(model).columns == 3
