"""Files of nn_distributed_training as experiments: every key is mapped or named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml

from holdfast import Experiment, load
from holdfast.cli import DONE, WRONG_INPUT, main
from holdfast.component import Settings
from holdfast.errors import InputError
from holdfast.importers.nndt import imported
from holdfast.importers.nndt_config import Dinno, Dsgd, Dsgt, MapSetup, MnistSetup, Section
from tests.importers.nndt import DINNO, DSGD, DSGT, OLDER, classifier, mapping, problem

TEMPLATE = """
experiment:
  name: dist_cnn_cadmm_scaled_v_const
  data_dir: ../data/
  output_metadir: ./outputs/
  writeout: true
  data_split_type: hetero
  loss: NLL
  graph: {num_nodes: 5, type: wheel, p: 0.6, gen_attempts: 10}
  model: {num_filters: 3, kernel_size: 5, linear_width: 64}
problem_configs:
  problem1:
    problem_name: vanilla_cadmm
    train_batch_size: 64
    val_batch_size: 128
    evaluate_frequency: 20
    verbose_evals: True
    metrics: [forward_pass_count, validation_loss, consensus_error, top1_accuracy, current_epoch]
    optimizer_config: {alg_name: cadmm, rho_init: 1.0, rho_scaling: 1.0, outer_iterations: 30, primal_iterations: 5,
      primal_optimizer: adam, primal_lr: 0.005}
"""
"""The file that the program's documentation explains."""


def experiment(content: dict[str, Any]) -> Experiment:
    return Experiment(**imported(content).fields)


def notes(content: dict[str, Any]) -> str:
    return "\n".join(imported(content).notes)


def test_the_file_of_the_documentation():
    found = imported(yaml.safe_load(TEMPLATE))
    ours = Experiment(**found.fields)
    assert (ours.name, ours.nodes, ours.rounds, ours.evaluate_every) == ("dist_cnn_cadmm_scaled_v_const", 5, 30, 20)
    assert (ours.problem.component_name(), ours.topology.component_name()) == ("mnist", "wheel")
    assert ours.problem.model.as_mapping().items() >= {"channels": [3], "kernel": 5, "hidden": [64]}.items()
    assert ours.partition.as_mapping().items() >= {"name": "label_shards", "classes_per_node": 2}.items()
    own = ours.algorithm
    assert (own.component_name(), own.rho, own.rho_scaling, own.primal_iterations) == ("dinno", 1.0, 1.0, 5)
    assert (own.keep_memory, own.batch_size) == (False, 64)
    assert (own.optimizer.name, own.optimizer.lr, own.optimizer.schedule) == ("adam", 0.005, None)
    assert ours.variants == {}
    told = "\n".join(found.notes)
    for words in (
        "data_dir",
        "alg_name cadmm (vanilla_cadmm)",
        "problem_name: vanilla_cadmm",
        "persistant_primal_opt False",
        "graph.p",
        "graph.gen_att",
    ):
        assert words in told
    assert "keep our definitions" in told


def test_several_problems_are_variants_on_one_network_split_and_graph():
    ours = experiment(classifier(problem("dinno"), problem("dsgt", DSGT), problem("dsgd", DSGD)))
    runs = dict(ours.runs())
    assert [run.algorithm.component_name() for run in runs.values()] == ["dinno", "dsgt", "dsgd"]
    assert len({(str(run.problem), str(run.partition), str(run.topology), run.seed) for run in runs.values()}) == 1
    assert {run.rounds for run in runs.values()} == {2000}
    assert (runs["dsgt"].algorithm.lr, runs["dsgt"].algorithm.init_grads) == (0.005, True)
    assert (runs["dsgd"].algorithm.lr, runs["dsgd"].algorithm.mu) == (0.005, 0.001)


def test_problems_may_differ_in_rounds_and_evaluations():
    ours = experiment(classifier(problem("a"), problem("b", OLDER, evaluate_frequency=5)))
    runs = dict(ours.runs())
    assert [(run.rounds, run.evaluate_every) for run in runs.values()] == [(2000, 20), (30, 5)]


@pytest.mark.parametrize(
    ("decay", "rates"),
    [
        ("constant", (0.005, 0.005, 0.005)),
        ("linear", (0.005, 0.00275, 0.0005)),
        ("log", (0.005, 0.005 * 10**-0.5, 0.0005)),
    ],
)
def test_the_learning_rate_of_the_first_middle_and_last_round(decay, rates):
    section = problem("a", {**DINNO, "lr_decay_type": decay, "outer_iterations": 2001})
    optimizer = experiment(classifier(section)).algorithm.optimizer
    assert [optimizer.at(round).lr for round in (0, 1000, 2000)] == pytest.approx(list(rates))


def test_one_round_has_the_first_learning_rate():
    section = problem("a", {**DINNO, "outer_iterations": 1})
    assert experiment(classifier(section)).algorithm.optimizer.schedule is None


@pytest.mark.parametrize("kept", [True, False])
def test_the_optimiser_goes_on_where_the_file_says_so(kept):
    section = problem("a", {**DINNO, "persistant_primal_opt": kept})
    assert experiment(classifier(section)).algorithm.keep_memory is kept


@pytest.mark.parametrize(
    ("graph", "topology"),
    [
        ({"type": "wheel"}, {"name": "wheel"}),
        ({"type": "cycle"}, {"name": "cycle"}),
        ({"type": "complete"}, {"name": "complete"}),
        ({"type": "random", "p": 0.3, "gen_attempts": 99}, {"name": "erdos_renyi", "p": 0.3, "attempts": 100}),
    ],
)
def test_every_graph(graph, topology):
    content = classifier(problem("a"), graph={"num_nodes": 10, **graph})
    assert experiment(content).topology.as_mapping().items() >= topology.items()
    assert "only the graph random" not in notes(content)


@pytest.mark.parametrize(("nodes", "classes"), [(1, 10), (2, 5), (3, 4), (5, 2), (6, 2), (10, 1)])
def test_classes_are_dealt_out_and_none_is_lost(nodes, classes):
    content = classifier(problem("a"), graph={"num_nodes": nodes, "type": "complete"})
    assert imported(content).fields["partition"] == {"name": "label_shards", "classes_per_node": classes}
    assert ("leaves classes out" in notes(content)) == (nodes in (3, 6))


def test_a_random_split():
    content = classifier(problem("a"), data_split_type="random", graph={"num_nodes": 12, "type": "cycle"})
    assert (experiment(content).partition.component_name(), experiment(content).nodes) == ("iid", 12)


def test_individual_training_is_the_variant_solo():
    solo = {"train_solo": True, "optimizer": "adamw", "lr": 0.01, "epochs": 6, "train_batch_size": 100}
    run = experiment(classifier(problem("a"), individual_training=solo)).variant("solo")
    assert (run.algorithm.component_name(), run.rounds, run.algorithm.local_epochs) == ("solo", 6, 1)
    assert (run.algorithm.optimizer.name, run.algorithm.optimizer.lr, run.algorithm.batch_size) == ("adamw", 0.01, 100)
    untrained = classifier(problem("a"), individual_training={**solo, "train_solo": False})
    assert experiment(untrained).variants == {}
    assert "experiment.individual_training.lr" in notes(untrained)


def test_robots_that_drive():
    content = mapping(problem("a", train_batch_size=12500), seed=3)
    ours, task = experiment(content), experiment(content).problem
    assert (ours.seed, ours.nodes, task.component_name(), task.robots) == (3, 7, "online_density", 7)
    assert (task.scans, task.window_scans, task.validation_scans, task.border_width) == (2430, 800, 500, 30)
    # A window of 800 scans of 500 samples is drawn after 32 batches; a round draws 2.
    assert task.speed == pytest.approx(2 / 32 / 4)
    assert (task.lidar.num_beams, task.lidar.beam_samps, task.lidar.beam_length) == (20, 25, 0.2)
    assert (task.model.hidden, task.model.scale) == ((256, 64, 64, 64), 0.05)
    assert task.paths == tuple(f"floorplan/path{robot}.npy" for robot in range(1, 8))
    assert ours.partition.component_name() == "label_shards"
    assert (ours.topology.component_name(), round(ours.topology.radius * 2167)) == ("moving_disk", 1500)


def test_the_factor_between_the_losses_of_a_map_is_told():
    content = mapping(problem("a", metrics=["validation_loss"], val_batch_size=10_000))
    assert "which is 25 times ours" in notes(content)  # 500 scans of 500 samples


def test_robots_that_stand():
    data = {**mapping()["experiment"]["data"], "num_scans_in_window": None, "spline_res": None, "num_scans": 300}
    content = mapping(problem("a", DSGD), data=data, graph={"num_nodes": 3, "type": "wheel"})
    task = experiment(content).problem
    assert (task.component_name(), task.poses, task.scans, task.robots) == ("lidar_density", "trajectory", 300, 3)
    assert "only robots that move" in notes(content)
    content["experiment"]["data"] |= {"split_type": "random", "spline_res": None}
    assert (experiment(content).problem.poses, experiment(content).problem.paths) == ("random", ())


def test_the_older_lidar():
    content = mapping(problem("a"))
    data = content["experiment"]["data"]
    data["scan_dist_scale"] = data.pop("beam_length")
    del data["collision_samps"]
    assert experiment(content).problem.lidar.beam_length == 0.2
    assert "without collision_samps" in notes(content)


VALUES: dict[str, Any] = {
    "data_dir": "here/",
    "output_metadir": "there/",
    "waypoint_subdir": "tight_paths",
    "individual_training": {"train_solo": True},
    "metrics_config": {"tloss_decay": 0.2},
    "metrics": ["mesh_grid_density"],
    "train_solo": True,
    "lr_decay_type": "linear",
    "primal_optimizer": "sgd",
    "optimizer": "sgd",
    "graph": {"num_nodes": 7, "type": "wheel"},
    "scan_dist_scale": 0.1,
    "clipped_lidar": False,
    "p": 0.25,
    "problem_name": "other",
    "type": "wheel",
    "data_split_type": "random",
    "name": "other",
    "primal_lr": 0.125,
    "num_nodes": 5,
    **dict.fromkeys(("writeout", "use_cuda", "verbose", "verbose_evals", "save_models", "profile"), True),
    **dict.fromkeys(("dynamic_graph", "round_density", "mesh_only_at_end"), False),
}
"""A value of each key that takes no number; a number is twice what it was, and 3."""
APART = {"loss", "alg_name", "model", "data", "optimizer_config", "evaluate_frequency", "split_type"}
"""What has one value only, or is told in a test of its own."""
INSTEAD = {"scan_dist_scale": "beam_length", "primal_lr": "primal_lr_start"}


def keys(kind: type[Settings], *path: str) -> Iterator[tuple[str, ...]]:
    for name, info in kind.model_fields.items():
        types = [info.annotation, *get_args(info.annotation)]
        inner = [t for t in types if get_origin(t) is None and isinstance(t, type) and issubclass(t, Settings)]
        yield from keys(inner[0], *path, name) if inner else ()
        if name not in APART:
            yield (*path, name)


def every_key() -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from (("classifier", key) for key in keys(MnistSetup, "experiment"))
    yield from (("mapping", key) for key in keys(MapSetup, "experiment"))
    yield from (("mapping", ("problem_configs", "p0", *key)) for key in keys(Section))
    for name, kind in {"dinno": Dinno, "dsgt": Dsgt, "dsgd": Dsgd}.items():
        yield from ((name, ("problem_configs", "p0", "optimizer_config", *key)) for key in keys(kind))


def _other(value: bool | float | list[int] | None) -> object:
    if isinstance(value, bool):
        return not value
    return 3 if value is None else value * 2


@pytest.mark.parametrize(
    ("file", "path"), list(every_key()), ids=lambda given: given if isinstance(given, str) else ".".join(given)
)
def test_every_key_is_mapped_or_named(file, path):
    algorithms = {"dinno": DINNO, "dsgt": DSGT, "dsgd": DSGD}
    section = problem("a", algorithms.get(file, DINNO), evaluate_frequency=20)
    content = mapping(section) if file == "mapping" else classifier(section)
    inner = content
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    if path[-2] == "graph":
        inner |= {"num_nodes": 10, "type": "random"}
    before = imported(content).fields
    last, old = path[-1], inner.get(path[-1])
    if last in INSTEAD:
        del inner[INSTEAD[last]]
    inner[last] = VALUES[last] if last in VALUES else _other(old)
    found = imported(content)
    assert found.fields != before or ".".join(path).replace(".p0.", ".*.") in "\n".join(found.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            classifier(problem("a"), graph={"num_nodes": 11, "type": "cycle"}),
            "experiment.graph.num_nodes must be at most 10 with data_split_type hetero, which deals out classes",
        ),
        (
            classifier(problem("solo"), individual_training={"train_solo": True}),
            "problem_configs: problem_name must not be solo",
        ),
        (mapping(problem("a", comm_radius=None)), "problem_configs: comm_radius must be given"),
    ],
)
def test_what_cannot_be_is_named(content, words):
    with pytest.raises(InputError, match=words):
        imported(content)


def test_the_command_writes_a_file_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    theirs, ours = tmp_path / "theirs.yaml", tmp_path / "ours.yaml"
    theirs.write_text(TEMPLATE)
    assert main(["import-nndt", str(theirs), "--out", str(ours)]) == DONE
    assert load(ours).rounds == 30
    assert "# " in ours.read_text()
    assert "&id" not in ours.read_text()
    assert "keep our definitions" in capsys.readouterr().err
    assert main(["import-nndt", str(theirs), "--out", str(ours)]) == WRONG_INPUT


def test_the_command_prints_the_file_without_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(TEMPLATE)
    assert main(["import-nndt", str(theirs)]) == DONE
    assert Experiment(**yaml.safe_load(capsys.readouterr().out)).nodes == 5


def test_a_mistake_is_one_paragraph(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(TEMPLATE.replace("rho_init", "rho_initial"))
    assert main(["import-nndt", str(theirs)]) == WRONG_INPUT
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "problem_configs.problem1.optimizer_config" in told
    assert "rho_init" in told
