"""What an experiment says of its network."""

import pytest

from holdfast import Experiment, InputError
from holdfast.network import Network


def test_it_is_a_part_of_the_experiment_and_survives_its_file():
    experiment = Experiment(problem="digits", algorithm="fedavg", network={"quorum": 0.8, "link": "best_effort"})
    assert experiment.network == Network(quorum=0.8, link="best_effort")
    assert Experiment(**experiment.as_mapping()) == experiment


@pytest.mark.parametrize(
    "wrong", [{"deadline": 0}, {"min_nodes": 0}, {"lease": 0.01}, {"link": "pigeon"}, {"rate": -1}, {"quorum": 1.1}]
)
def test_what_is_out_of_bounds_is_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Network(**wrong)
