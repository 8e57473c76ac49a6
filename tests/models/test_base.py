from __future__ import annotations

import pytest

from holdfast import Experiment, InputError
from holdfast.problems import Digits

MODULE = """
from torch import nn
from holdfast.models import Model

class Mine(Model):
    width: int = 5

    def build(self, input_shape, outputs):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, self.width), nn.Linear(self.width, outputs))

class Plain(nn.Module):
    pass
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_models_for_this_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return "my_models_for_this_test"


def test_an_own_model_is_named_by_its_module_and_class(module):
    problem = {"name": "digits", "model": {"name": f"{module}:Mine", "width": 3}}
    experiment = Experiment(problem=problem, algorithm="fedavg", nodes=2, rounds=1)
    assert Experiment(**experiment.as_mapping()) == experiment
    network = experiment.problem.load().model()
    assert sum(p.numel() for p in network.parameters()) == 64 * 3 + 3 + 3 * 10 + 10


def test_a_network_that_is_no_model_is_refused_with_what_to_derive_it_from(module):
    with pytest.raises(InputError, match=r"model.name must name a subclass of Model.*holdfast\.models\.base\.Model"):
        Digits(model=f"{module}:Plain")
