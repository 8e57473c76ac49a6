"""Every mistake a user can make ends with exit code 2 and one paragraph, before anything runs and with nothing lost."""

from __future__ import annotations

import gzip
import json

import pytest

from holdfast.cli import WRONG_INPUT, main

GOOD = {"name": "good", "problem": "digits", "algorithm": "fedavg", "nodes": 10, "rounds": 1}

BAD_LABELS = """
import torch
from holdfast.models import Logistic
from holdfast.problems import Problem, Task

class BadLabels(Problem):
    def load(self, data_dir=None):
        x, y = torch.zeros(4, 3), torch.tensor([0, 1, 2, 7])
        return Task(model=lambda: torch.nn.Linear(3, 3), train=(x, y), test=(x, y), classes=3)
"""
BROKEN_MODULE = "raise RuntimeError('I do not import')"

# what is wrong: the fields that differ from GOOD, and the words that the paragraph must hold
TABLE = {
    "unknown key": ({"nods": 3}, ["nods", "known key", "Did you mean 'nodes'"]),
    "unknown nested key": ({"algorithm": {"name": "fedavg", "epochs": 1}}, ["algorithm.epochs", "local_epochs"]),
    "unknown component": ({"aggregator": "trimed_mean"}, ["aggregator.name", "'trimed_mean'", "trimmed_mean"]),
    "unknown component in a list": ({"faults": ["drops"]}, ["faults", "'drops'", "drop"]),
    "component of the wrong kind": ({"algorithm": "krum"}, ["algorithm.name", "'krum'", "fedavg"]),
    "component without a name": ({"codec": {"fraction": 0.1}}, ["codec.name", "be given", "top_k"]),
    "wrong type": ({"rounds": "many"}, ["rounds", "integer", "'many'"]),
    "wrong nested type": ({"algorithm": {"name": "fedavg", "local_epochs": []}}, ["algorithm.local_epochs", "[]"]),
    "out of bounds": ({"participation": 1.5}, ["participation", "less than or equal to 1", "1.5"]),
    "missing field": ({"problem": None}, ["problem", "digits"]),
    "unknown optimiser": ({"algorithm": {"name": "fedavg", "optimizer": {"name": "sdg"}}}, ["optimizer.name", "sgd"]),
    "epochs and steps": (
        {"algorithm": {"name": "fedavg", "local_epochs": 1, "local_steps": 1}},
        ["local_steps", "stand alone"],
    ),
    "f too large": ({"aggregator": {"name": "krum", "f": 4}}, ["aggregator.f", "at least 11 rows", "f=4 with 10 rows"]),
    "f too large for those asked": (
        {"aggregator": {"name": "median", "f": 2}, "participation": 0.4},
        ["aggregator.f", "at least 5 rows", "f=2 with 4 rows"],
    ),
    **{
        f"a seed beyond 63 bits of {rule}": (
            {"aggregator": {"name": rule, "seed": 2**63}},
            ["aggregator.seed", "less than 9223372036854775808"],
        )
        for rule in ("bucketing", "condense", "dnc")
    },
    "a seed below 0": ({"aggregator": {"name": "dnc", "seed": -1}}, ["aggregator.seed", "equal to 0", "-1"]),
    "a trusted node that does not exist": (
        {"aggregator": {"name": "fltrust", "trusted": 10}},
        ["aggregator.trusted", "0..9", "10"],
    ),
    "a trusted node that attacks": (
        {"aggregator": {"name": "fltrust", "trusted": 3}, "attack": {"name": "nan", "nodes": [3]}},
        ["attack.nodes", "trusted node 3 honest"],
    ),
    "more attackers than nodes": ({"attack": {"name": "sign_flip", "nodes": 11}}, ["attack.nodes", "0..10", "11"]),
    "fewer attackers than none": ({"attack": {"name": "sign_flip", "nodes": -1}}, ["attack.nodes", "0..10", "-1"]),
    "an attacker that does not exist": ({"attack": {"name": "nan", "nodes": [3, 10]}}, ["attack.nodes", "0..9"]),
    "an attack that ends before it begins": (
        {"attack": {"name": "ipm", "from_round": 5, "until_round": 4}},
        ["attack.until_round", "at least from_round, 5", "4"],
    ),
    "an attack with bounds upside down": (
        {"attack": {"name": "alie_optimal", "least": 2, "most": 1}},
        ["attack.most", "at least least, 2", "1"],
    ),
    "a direction that is none": (
        {"attack": {"name": "min_max", "direction": "up"}},
        ["attack.direction", "sign", "std"],
    ),
    "a backdoor to no class": ({"attack": {"name": "backdoor", "target": 10}}, ["attack.target", "0..9", "10"]),
    "a patch larger than an image": ({"attack": {"name": "backdoor", "size": 99}}, ["attack.size", "at most", "99"]),
    "a coordinate that no row has": (
        {"attack": {"name": "bulyan_attack", "coordinate": 10**9}},
        ["attack.coordinate", "less than", "columns"],
    ),
    "the success of an attack that shows on no sample": (
        {"attack": "ipm", "metrics": ["attack_success"]},
        ["metrics", "attack_success", "test_accuracy"],
    ),
    "a fault of a node that does not exist": ({"faults": [{"name": "crash", "node": 10}]}, ["faults.crash", "0..9"]),
    "a node back before it crashed": (
        {"faults": [{"name": "crash", "at_round": 4, "back_at": 4}]},
        ["back_at", "greater than at_round", "4"],
    ),
    "an empty node": ({"nodes": 5000}, ["partition", "5000"]),
    "more nodes than samples, skewed": ({"nodes": 2000, "partition": "dirichlet"}, ["partition", "alpha", "2000"]),
    "classes without a node": ({"nodes": 5, "partition": "label_shards"}, ["partition", "classes_per_node"]),
    "a graph that is not connected": (
        {"algorithm": "dsgd", "topology": {"name": "erdos_renyi", "p": 0.01, "attempts": 3}},
        ["topology", "p", "0.01"],
    ),
    "a graph too sparse for the rule": (
        {"algorithm": "dsgd", "topology": "cycle", "aggregator": {"name": "median", "f": 2}},
        ["topology", "median", "hears 2"],
    ),
    "a graph for a coordinator": ({"topology": "cycle"}, ["topology", "star", "dsgd"]),
    "a missing data file": ({"problem": "mnist"}, ["mnist", "--data-dir", "download: true"]),
    "a module that is not there": ({"problem": "no_such_module:Mine"}, ["problem.name", "no_such_module.py"]),
    "a module that does not import": ({"problem": "broken_module:Mine"}, ["problem.name", "I do not import"]),
    "a class that is not there": ({"problem": "bad_labels:Mine"}, ["problem.name", "bad_labels:Mine"]),
    "a class that is no problem": ({"problem": "bad_labels:Task"}, ["problem.name", "subclass of Problem"]),
    "labels outside the classes": ({"problem": "bad_labels:BadLabels", "nodes": 2}, ["problem.train", "0..2", "0..7"]),
    "an unknown metric": ({"metrics": ["test_acuracy"]}, ["metrics", "test_accuracy"]),
    "a device that is not there": ({"device": "cuda:9"}, ["device", "cuda:9", "cpu"]),
    "a name that is no folder": ({"name": "a/b"}, ["name", "'a/b'"]),
    "an unknown key of the network": ({"network": {"quorom": 0.5}}, ["network", "quorum"]),
    "a quorum of nobody": ({"network": {"quorum": 0}}, ["network", "quorum", "greater than 0"]),
    "datagrams among peers": (
        {"algorithm": "dsgd", "topology": "cycle", "network": {"link": "best_effort"}},
        ["network.link", "reliable", "peers"],
    ),
    "a mistake in a variant": (
        {"variants": {"x": {"aggregator": {"name": "krum", "f": 9}}}},
        ["variants.x.aggregator.f"],
    ),
    "a sweep where one run is wanted": ({"grid": {"seed": [1, 2]}}, ["grid", "`holdfast sweep`"]),
    "memory in the middle of a chain": ({"codec": ["top_k", "error_feedback"]}, ["codec", "error_feedback", "first"]),
    "top-k of more than there is": (
        {"codec": {"name": "top_k", "fraction": 1.5}},
        ["codec.fraction", "less than or equal to 1", "1.5"],
    ),
    "a codec behind one that leaves it nothing": ({"codec": ["int8", "top_k"]}, ["codec", "leave values", "int8"]),
    "differences on the way up": ({"codec": "delta"}, ["codec", "tell rows", "Use it as downlink"]),
    "differences inside another codec": (
        {"downlink": {"name": "error_feedback", "codec": "delta"}},
        ["downlink", "hold no codec of differences inside"],
    ),
    "a way down without a coordinator": (
        {"downlink": "int8", "algorithm": "dsgd", "topology": "cycle"},
        ["downlink", "dsgd, which has no coordinator"],
    ),
    "a schedule in which nobody ever speaks": (
        {"trigger": {"name": "periodic", "every": 2}},
        ["trigger.every", "at most 1, the rounds there are", "nobody would ever speak"],
    ),
    "an interval longer than the run": ({"trigger": {"name": "svd", "interval": 5}}, ["trigger.interval", "5"]),
    "a plan without a coordinator": (
        {"trigger": "loss", "algorithm": "dsgd", "topology": "cycle"},
        ["trigger", "no plan of a coordinator", "dsgd"],
    ),
    "Shapley values of too many nodes": (
        {"trigger": {"name": "shapley", "sampling": "exact"}, "nodes": 30},
        ["trigger", "30", "permutations"],
    ),
    "recovery of private data": (
        {"recovery": "shard", "partition": "own_data"},
        ["recovery", "must not leave their node", "'shard'"],
    ),
    "recovery without a coordinator": (
        {"recovery": "shard", "algorithm": "dsgd", "topology": "cycle"},
        ["recovery", "none among peers"],
    ),
    "a clock's file that is not there": ({"clock": {"nodes": "nowhere.csv"}}, ["clock.nodes", "nowhere.csv"]),
    "a deadline where nobody is waited for": (
        {"clock": {"deadline": 3}, "algorithm": "fedbuff"},
        ["clock.deadline", "left out with fedbuff"],
    ),
    "an attack on pixels where there are letters": (
        {"problem": {"name": "python_docs", "characters": 20000}, "attack": {"name": "pixel_scale", "nodes": 1}},
        ["attack", "suit inputs of this kind", "pixel_scale"],
    ),
    "a graph that never connects": (
        {"algorithm": "dsgd", "topology": {"name": "moving_disk", "radius": 0.001}},
        ["topology", "be connected, over all rounds"],
    ),
    "too few nodes for the robots": (
        {"problem": "online_density", "algorithm": "dsgd", "topology": "moving_disk", "nodes": 3},
        ["number of robots of the problem, 7"],
    ),
    "fewer paths than robots": (
        {"problem": {"name": "online_density", "paths": ["a.npy"]}},
        ["problem.paths", "7 robots"],
    ),
    "a window longer than the drive": (
        {"problem": {"name": "online_density", "window_scans": 200}},
        ["window_scans", "100 scans"],
    ),
    "recovery of what robots forget": (
        {"problem": "online_density", "nodes": 7, "partition": "label_shards", "recovery": "shard"},
        ["robots forget"],
    ),
    "a difference to what changes": (
        {"algorithm": "choco", "topology": "random_matching"},
        ["topology", "choco", "stay the same"],
    ),
    "a dual of what leads one way": (
        {"algorithm": "dinno", "topology": "exponential"},
        ["topology", "both ways", "exponential", "push_sum"],
    ),
    "weights that differ": (
        {"algorithm": "extra", "topology": {"name": "star", "weighting": "uniform"}},
        ["topology.weighting", "extra", "metropolis"],
    ),
    "a rule for hermits": (
        {"algorithm": "solo", "topology": "cycle", "aggregator": "median"},
        ["aggregator", "solo", "hear nobody"],
    ),
    **{
        f"{rule} of models": (
            {"algorithm": "dsgd", "topology": "complete", "aggregator": rule},
            ["aggregator", f"'{rule}'", "models, which peers send", "nna"],
        )
        for rule in ("arc", "cge", "clipping", "momentum", "norm_bound", "sign_majority")
    },
    "a stage for updates before a rule for models": (
        {"algorithm": "dsgd", "topology": "complete", "aggregator": ["momentum", "median"]},
        ["aggregator", "'momentum'", "models, which peers send"],
    ),
    "late shares": (
        {"algorithm": {"name": "push_sum", "max_staleness": 1}, "topology": "cycle"},
        ["algorithm.max_staleness", "push_sum"],
    ),
    "silence on one side": (
        {"algorithm": "dsgt", "topology": "cycle", "trigger": {"name": "divergence", "delta": 0.1}},
        ["trigger", "dsgt", "all nodes or none", "periodic"],
    ),
    "a learning rate that turns negative": (
        {"algorithm": {"name": "dsgd", "mu": 50}, "topology": "cycle"},
        ["algorithm.mu", "at most 1/lr = 10"],
    ),
    "a model made good": (
        {"downlink": {"name": "error_feedback", "codec": "sign"}},
        ["downlink", "suit a model", "error_feedback", "delta"],
    ),
    "models made good": (
        {"algorithm": "dsgd", "topology": "cycle", "codec": {"name": "error_feedback", "codec": "sign"}},
        ["codec", "suit models", "error_feedback", "choco"],
    ),
    "a penalty of nothing": ({"algorithm": {"name": "dinno", "rho": 0}, "topology": "cycle"}, ["algorithm.rho"]),
    "one class a node with too many asked": (
        {"partition": {"name": "label_shards", "classes_per_node": 11}},
        ["partition.classes_per_node", "at most the 10 classes"],
    ),
    "local steps that the formula does not know": (
        {"algorithm": {"name": "scaffold", "optimizer": {"name": "adam", "lr": 0.1}}},
        ["algorithm.optimizer", "be sgd", "adam"],
    ),
    "top-k of nothing": ({"codec": {"name": "top_k", "fraction": 0}}, ["codec.fraction", "greater than 0"]),
}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)
    (tmp_path / "bad_labels.py").write_text(BAD_LABELS)
    (tmp_path / "broken_module.py").write_text(BROKEN_MODULE)
    return tmp_path


def refused(capsys, *arguments: str) -> str:
    assert main(list(arguments)) == WRONG_INPUT
    told = capsys.readouterr().err.strip()
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1, told
    assert told.startswith("holdfast: ")
    assert " must " in told
    assert " but " in told
    assert " was given" in told
    return told


@pytest.mark.parametrize("mistake", TABLE)
def test_mistakes(workplace, capsys, mistake):
    changes, words = TABLE[mistake]
    content = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (workplace / "experiment.yaml").write_text(json.dumps(content))
    told = refused(capsys, "run", "experiment.yaml", "--out", "result")
    for word in words:
        assert word in told, told
    assert not (workplace / "result").exists()


def test_a_file_that_is_not_there(workplace, capsys):
    assert "holdfast new" in refused(capsys, "run", "nowhere.yaml")


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "a: 1\na: 2", "\tx"])
def test_a_file_that_is_no_mapping(workplace, capsys, text):
    (workplace / "experiment.yaml").write_text(text)
    refused(capsys, "run", "experiment.yaml")


def test_an_override_without_a_value(workplace, capsys):
    (workplace / "experiment.yaml").write_text(json.dumps(GOOD))
    assert "a.b=value" in refused(capsys, "run", "experiment.yaml", "--set", "rounds")


def test_a_result_directory_that_exists(workplace, capsys):
    (workplace / "experiment.yaml").write_text(json.dumps(GOOD))
    kept = workplace / "result" / "precious.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    told = refused(capsys, "run", "experiment.yaml", "--out", "result")
    assert "--out" in told
    assert "resume" in told
    assert kept.read_text() == "mine"


@pytest.mark.parametrize("command", ["run", "up", "sweep"])
@pytest.mark.parametrize("out", ["experiment.yaml/x", "/proc/x/y"])
def test_a_directory_that_cannot_be_made(workplace, capsys, monkeypatch, command, out):
    def load(*_: object) -> None:
        raise AssertionError("data were loaded in vain")

    monkeypatch.setattr("holdfast.problems.digits.Digits.load", load)
    grid = {"grid": {"seed": [1, 2]}} if command == "sweep" else {}
    (workplace / "experiment.yaml").write_text(json.dumps({**GOOD, **grid}))
    told = refused(capsys, command, "experiment.yaml", "--out", out)
    assert "--out must be a directory that can be made" in told
    assert "Errno" not in told


def test_a_damaged_data_file(workplace, capsys):
    folder = workplace / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(b"\0" * 64)[:-9])
    (workplace / "experiment.yaml").write_text(json.dumps({**GOOD, "problem": "mnist"}))
    assert "train-images-idx3-ubyte.gz" in refused(capsys, "run", "experiment.yaml", "--data-dir", "data")


def test_resuming_where_there_is_nothing(workplace, capsys):
    assert "hold a checkpoint" in refused(capsys, "resume", "nowhere")


def test_an_unknown_family(capsys):
    assert "aggregators" in refused(capsys, "list", "agregators")


def test_new_never_overwrites(workplace, capsys):
    (workplace / "mine.yaml").write_text("precious")
    assert "existing file" in refused(capsys, "new", "mine.yaml")
    assert (workplace / "mine.yaml").read_text() == "precious"
