"""What to know about the keys of nn_distributed_training that have no place in our files, or mean something else."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.importers.nndt_config import Config, Dinno, Dsgd, Dsgt, MapSetup, MnistSetup

__all__ = ["CLASSES", "LEGS", "LONGER", "ROBOTS", "SOLO", "notes"]

CLASSES = 10
"""How many classes MNIST has."""
ROBOTS = 7
"""How many paths its published floor plan has; how many robots there are stands in no file."""
LEGS = 81
"""How many legs most of them have."""
LONGER = 2167
"""The longer side of that floor plan, in pixels."""
SOLO = "solo"
"""What the variant is called in which each node trains alone."""

_ALWAYS = {
    ("data_dir", "output_metadir", "writeout"): (
        "`holdfast run --data-dir` names the folder of the data sets, --out that of the run, which is always written"
    ),
    ("use_cuda",): "--set device=cuda computes on a GPU",
    ("val_batch_size",): "memory_mb decides how many samples are evaluated at a time",
    ("verbose_evals", "verbose"): "the command line shows the metrics in any case",
    ("save_models",): "the last checkpoint of a run holds the models",
    ("profile",): "there is no profiler; `python -m cProfile` or py-spy is",
    ("tloss_decay",): "the training loss of each round is recorded as it is",
    ("mesh_only_at_end",): "the report draws what the robots have learned at the end, and a film of it",
    ("waypoint_subdir",): (
        "nn_distributed_training takes all files of that folder; ours are named under problem.paths, in the data folder"
    ),
    ("clipped_lidar",): "beams are sampled evenly up to their hit",
}
"""What takes the place of keys that have none, whatever they say."""
_METRICS = {
    "forward_pass_count": "here the samples that all nodes have seen; there those of node 0 alone",
    "validation_loss": "here the mean over all test samples; {there}",
    "consensus_error": (
        "here each node's distance to the mean of all, relative to the length of that mean; there the distances of all "
        "pairs, each model scaled to length 1"
    ),
    "top1_accuracy": "the same, as test_accuracy",
    "current_epoch": "here how often a node has seen its samples, with fractions; there how often its loader began",
    "mesh_grid_density": "a picture of the report",
    "train_loss_moving_average": "here the training loss of each round; the report draws its moving average",
}
"""How metrics here differ from those of the same purpose there."""


def notes(config: Config) -> list[str]:
    """What to know, a sentence or two each."""
    found = [*_left_out(config), *_always(config), *_of_metrics(config), *_of_algorithms(config)]
    setup = config.setup
    return [*found, *(_of_map(setup, config) if isinstance(setup, MapSetup) else _of_mnist(setup)), *_of_graph(config)]


def _left_out(config: Config) -> Iterator[str]:
    """What stands in for keys that a file does not hold, though they decide something."""
    decisive: dict[str, object] = {}
    for run in config.runs.values():
        own = run.algorithm
        keys = {Dinno: ("persistant_primal_opt", "lr_decay_type"), Dsgt: ("init_grads",), Dsgd: ("mu",)}[type(own)]
        decisive |= {f"{key} {getattr(own, key)}": None for key in keys if key not in own.model_fields_set}
    solo = config.setup.individual_training
    if solo.train_solo:
        keys = ("optimizer", "lr", "epochs", "train_batch_size")
        decisive |= {f"{key} {getattr(solo, key)}": None for key in keys if key not in solo.model_fields_set}
    if decisive:
        yield f"The file does not say these, so they are as in nn_distributed_training: {', '.join(decisive)}."


def _always(config: Config) -> Iterator[str]:
    for keys, text in _ALWAYS.items():
        if here := [path for path in config.given if path.rpartition(".")[2] in keys]:
            yield f"{', '.join(here)}: {text}."
    idle = [
        p
        for p in config.given
        if ".individual_training." in p and p.rpartition(".")[2] not in ("verbose", "val_batch_size")
    ]
    if idle and not config.setup.individual_training.train_solo:
        yield f"{', '.join(idle)}: without train_solo, no node is trained alone."


def _of_metrics(config: Config) -> Iterator[str]:
    """How metrics differ: ours are kept."""
    named = dict.fromkeys(metric for run in config.runs.values() for metric in run.section.metrics)
    if not named:
        return
    yield (
        "problem_configs.*.metrics: all metrics that apply are evaluated, after the rounds and not before them, so "
        "that the final models are evaluated too. They keep our definitions:"
    )
    for metric in named:
        yield f"- {metric}: {_METRICS[metric].format(there=_loss_there(config))}."


def _loss_there(config: Config) -> str:
    setup, size = config.setup, next(iter(config.runs.values())).section.val_batch_size
    if isinstance(setup, MnistSetup):
        return "there the sum of the batches' means over the number of samples, which is less by the size of a batch"
    scans = setup.data.num_validation_scans * setup.data.num_beams * setup.data.beam_samps
    batches = f", which is {-(-scans // size)} times ours" if size else ""
    return f"there the sum of the batches' means{batches}"


def _of_algorithms(config: Config) -> Iterator[str]:
    if any(isinstance(run.algorithm, Dsgt | Dsgd) for run in config.runs.values()):
        yield (
            "dsgt, dsgd: all nodes mix what the others held when the round began; nn_distributed_training mixes in "
            "place, one node after the other, which is not W. Its figures for these two are no yardstick."
        )
    names = [n for n, run in config.runs.items() if run.algorithm.alg_name == "cadmm"]
    if names:
        yield f"alg_name cadmm ({', '.join(names)}): dinno, as it was called later."
    if len(config.runs) == 1 and not config.setup.individual_training.train_solo:
        yield f"problem_configs.*.problem_name: {next(iter(config.runs))}, a single problem, is the experiment itself."


def _of_mnist(setup: MnistSetup) -> Iterator[str]:
    yield "problem.model: dinno_cnn has the pixels standardised as there; numbers are float32, there float64."
    if setup.data_split_type == "hetero" and CLASSES % setup.graph.num_nodes:
        yield (
            "experiment.data_split_type: every class is held by some node; nn_distributed_training leaves classes out "
            f"where {CLASSES} is no multiple of num_nodes."
        )


def _of_map(setup: MapSetup, config: Config) -> Iterator[str]:
    data = setup.data
    yield "problem.image: put the floor plan as floorplan/floor_img.png into the data folder, or name another file."
    if data.split_type == "trajectory":
        yield "problem.paths: put the robots' way points as floorplan/path1.npy and so on there, or name other files."
        yield from _of_scans(setup)
    if setup.online:
        yield from _of_window(setup, config)
    missing = [key for key in ("collision_samps", "fine_samps") if getattr(data, key) is None]
    if missing:
        yield f"experiment.data: without {' and '.join(missing)}, as Holdfast's lidar has them."


def _of_scans(setup: MapSetup) -> Iterator[str]:
    if setup.data.spline_res is not None:
        yield (
            f"experiment.data.spline_res: its paths have about {LEGS} legs, so a robot makes {LEGS} times as many "
            "scans, at equal distances; problem.scans says how many."
        )
        if setup.data.num_scans is not None:
            yield "experiment.data.num_scans: without effect beside spline_res."


def _of_window(setup: MapSetup, config: Config) -> Iterator[str]:
    if setup.graph is None:
        yield f"nodes: as many as there are path files; {ROBOTS} in the published experiment."
    else:
        keys = [path for path in config.given if path.startswith("experiment.graph.")]
        yield f"{', '.join(keys)}: the graph, instead of one that follows the robots."
    yield (
        "problem.speed: a robot makes its next scan once it has drawn four times as many samples as its window holds, "
        "as there, where four loaders have a window each; by the batches of the first problem, for all variants alike."
    )
    if setup.graph is None:
        yield (
            "problem_configs.*.comm_radius: there in pixels, here as a share of the map's longer side, taken as "
            f"{LONGER} pixels."
        )
    if any(not run.section.dynamic_graph for run in config.runs.values()):
        yield "problem_configs.*.dynamic_graph: the graph follows the robots in any case."


def _of_graph(config: Config) -> Iterator[str]:
    graph = config.setup.graph
    given = [path for path in config.given if path in ("experiment.graph.p", "experiment.graph.gen_attempts")]
    if graph is not None and graph.type != "random" and given:
        yield f"{', '.join(given)}: only the graph random has use for it."
    here = [path for path in config.given if path.rpartition(".")[2] in ("comm_radius", "dynamic_graph")]
    if graph is not None and here:
        yield f"{', '.join(here)}: only robots that move have use for it."
