"""What an experiment file of nn_distributed_training may say: every key, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from holdfast.component import Settings
from holdfast.errors import InputError, nearest

__all__ = [
    "Config",
    "Dinno",
    "Dsgd",
    "Dsgt",
    "Graph",
    "Individual",
    "MapData",
    "MapSetup",
    "MnistSetup",
    "Run",
    "Section",
]

S = TypeVar("S", bound=Settings)

Metric = Literal[
    "forward_pass_count",
    "validation_loss",
    "consensus_error",
    "top1_accuracy",
    "current_epoch",
    "mesh_grid_density",
    "train_loss_moving_average",
]
Adaptive = Literal["adam", "adamw", "sgd"]
_Width = Annotated[int, Field(ge=1)]


class Graph(Settings):
    """The section ``experiment.graph``."""

    num_nodes: int = Field(ge=1, description="how many nodes there are")
    type: Literal["wheel", "cycle", "complete", "random"] = Field(description="the graph")
    p: float = Field(0.5, gt=0, le=1, description="how likely a pair is linked in a random graph")
    gen_attempts: int = Field(10, ge=0, description="how often a random graph is drawn again until it is connected")


class ConvNet(Settings):
    """The section ``experiment.model`` of a classifier."""

    num_filters: int = Field(ge=1, description="filters of the convolution")
    kernel_size: int = Field(ge=1, description="side of a filter, in pixels")
    linear_width: int = Field(ge=1, description="width of the hidden layer")


class MapNet(Settings):
    """The section ``experiment.model`` of a map."""

    shape: tuple[_Width, ...] = Field(min_length=3, description="widths of all layers, the two inputs first")
    scale: float = Field(gt=0, description="what the first sine's argument is multiplied by")

    def examine(self) -> None:
        """Refuse other inputs than a place, and other outputs than a density.

        Raises:
            InputError: the first width is not 2, or the last not 1.
        """
        if (self.shape[0], self.shape[-1]) != (2, 1):
            raise InputError("shape", "begin with 2 and end with 1", list(self.shape), "A map is (x, y) → density.")


class MapData(Settings):
    """The section ``experiment.data`` of a map."""

    data_dir: str | None = Field(None, description="where floor plan and paths lie")
    waypoint_subdir: str | None = Field(None, description="the folder of the paths")
    split_type: Literal["random", "trajectory"] = Field(description="where robots scan")
    num_beams: int = Field(ge=1, description="beams of a scan")
    beam_samps: int = Field(ge=2, description="samples along a beam")
    beam_length: float | None = Field(None, gt=0, description="reach of a beam, of the longer side")
    scan_dist_scale: float | None = Field(None, gt=0, description="the older name of beam_length")
    clipped_lidar: Literal[False] = Field(False, description="whether beams end at the first sample that is a wall")
    collision_samps: int | None = Field(None, ge=2, description="coarse points that search a beam for a wall")
    fine_samps: int | None = Field(None, ge=2, description="fine points that search a coarse step")
    samp_distribution_factor: float = Field(1.0, gt=0, description="the exponent of the samples' places")
    border_width: int = Field(0, ge=0, description="thickness of the wall around the map, in pixels")
    round_density: bool = Field(True, description="whether labels are rounded")
    num_scans: int | None = Field(None, ge=1, description="scans of a robot")
    spline_res: int | None = Field(None, ge=1, description="scans between two way points")
    num_scans_in_window: int | None = Field(None, ge=1, description="scans that a robot has at a time")
    num_validation_scans: int = Field(ge=1, description="scans that test")

    def examine(self) -> None:
        """Refuse a reach in two spellings or none, and a drive without a length.

        Raises:
            InputError: keys are missing, or contradict each other.
        """
        if (self.beam_length is None) == (self.scan_dist_scale is None):
            given = {"beam_length": self.beam_length, "scan_dist_scale": self.scan_dist_scale}
            raise InputError(
                "beam_length", "be given once", given, "scan_dist_scale is its older name: keep one of them."
            )
        online = self.num_scans_in_window is not None
        if online and self.split_type == "random":
            raise InputError(
                "split_type", "be trajectory with num_scans_in_window", "random", "A window moves on a path."
            )
        if self.num_scans is None and (self.split_type == "random" or self.spline_res is None):
            needed = "num_scans" if self.split_type == "random" else "spline_res"
            raise InputError(needed, "be given", None, f"It says how many scans a robot makes; see {self.split_type}.")


class Individual(Settings):
    """The section ``experiment.individual_training``."""

    train_solo: bool = Field(False, description="whether each node is also trained alone")
    optimizer: Adaptive = Field("adam", description="the optimiser")
    lr: float = Field(0.005, gt=0, description="the learning rate")
    epochs: int = Field(6, ge=1, description="epochs in all")
    train_batch_size: int = Field(100, ge=1, description="samples in a batch")
    val_batch_size: int | None = Field(None, ge=1, description="samples that are evaluated at a time")
    verbose: bool | None = Field(None, description="whether accuracies are printed")


class Setup(Settings):
    """What the section ``experiment`` says whatever is learned."""

    name: str = Field(description="the name")
    output_metadir: str | None = Field(None, description="where results go")
    writeout: bool | None = Field(None, description="whether results are written")
    use_cuda: bool | None = Field(None, description="whether to compute on a GPU")
    seed: int | None = Field(None, ge=0, lt=2**63, description="the seed of random draws")
    individual_training: Individual = Field(Individual(), description="the nodes trained alone")


class MnistSetup(Setup):
    """The section ``experiment`` of a classifier."""

    data_dir: str | None = Field(None, description="where MNIST lies")
    data_split_type: Literal["hetero", "random"] = Field(description="whether nodes hold different classes")
    loss: Literal["NLL"] = Field(description="the loss")
    graph: Graph = Field(description="who talks to whom")
    model: ConvNet = Field(description="the network")


class MapSetup(Setup):
    """The section ``experiment`` of a map."""

    data: MapData = Field(description="what robots scan")
    loss: Literal["BCE"] = Field(description="the loss")
    graph: Graph | None = Field(None, description="who talks to whom, where robots do not move")
    model: MapNet = Field(description="the network")

    def examine(self) -> None:
        """Refuse robots that stand still and have no graph.

        Raises:
            InputError: there is no graph.
        """
        if self.graph is None and not self.online:
            raise InputError("graph", "be given without data.num_scans_in_window", None, "Say num_nodes and type.")

    @property
    def online(self) -> bool:
        """Whether robots learn while they drive."""
        return self.data.num_scans_in_window is not None


class MetricsConfig(Settings):
    """The section ``metrics_config`` of a problem."""

    evaluate_frequency: int | None = Field(None, ge=1, description="rounds between evaluations")
    tloss_decay: float | None = Field(None, description="the decay of the moving average of the training loss")
    mesh_only_at_end: bool | None = Field(None, description="whether the map is only drawn at the end")


class Section(Settings):
    """A section of ``problem_configs``."""

    problem_name: str = Field(pattern=r"^[^/]{1,100}$", description="the name, which no other section has")
    train_batch_size: int = Field(ge=1, description="samples in a batch")
    val_batch_size: int | None = Field(None, ge=1, description="samples that are evaluated at a time")
    evaluate_frequency: int | None = Field(None, ge=1, description="the older place of metrics_config's")
    metrics_config: MetricsConfig = Field(MetricsConfig(), description="how metrics are evaluated")
    metrics: tuple[Metric, ...] = Field((), description="what is evaluated")
    verbose_evals: bool | None = Field(None, description="whether metrics are printed")
    save_models: bool | None = Field(None, description="whether models are kept")
    comm_radius: float | None = Field(None, gt=0, description="how far robots hear each other, in pixels")
    dynamic_graph: bool = Field(True, description="whether the graph follows the robots")
    optimizer_config: dict[str, Any] = Field(description="the algorithm")

    def examine(self) -> None:
        """Refuse a frequency in two places, or none.

        Raises:
            InputError: it is missing, or stands in both.
        """
        places = (self.evaluate_frequency, self.metrics_config.evaluate_frequency)
        if (places[0] is None) == (places[1] is None):
            remedy = "It says how many rounds lie between evaluations; older files have it outside metrics_config."
            raise InputError("metrics_config.evaluate_frequency", "be given once", places, remedy)


class Dinno(Settings):
    """The section ``optimizer_config`` of ``dinno``, which older files call ``cadmm``."""

    alg_name: str = Field(description="the algorithm")
    outer_iterations: int = Field(ge=1, description="rounds")
    profile: bool | None = Field(None, description="whether torch's profiler runs")
    rho_init: float = Field(gt=0, description="the first ρ")
    rho_scaling: float = Field(ge=1, description="what ρ is multiplied with a round")
    primal_iterations: int = Field(ge=1, description="steps a round")
    primal_optimizer: Adaptive = Field(description="the optimiser of these steps")
    persistant_primal_opt: bool = Field(False, description="whether that goes on from round to round")
    primal_lr: float | None = Field(None, gt=0, description="the learning rate, in older files")
    primal_lr_start: float | None = Field(None, gt=0, description="the first learning rate")
    primal_lr_finish: float | None = Field(None, gt=0, description="the last learning rate")
    lr_decay_type: Literal["constant", "linear", "log"] = Field("constant", description="the way between the two")

    def examine(self) -> None:
        """Refuse a learning rate in two spellings or none, and a decay without an end.

        Raises:
            InputError: keys are missing, or contradict each other.
        """
        if (self.primal_lr is None) == (self.primal_lr_start is None):
            given = {"primal_lr": self.primal_lr, "primal_lr_start": self.primal_lr_start}
            raise InputError(
                "primal_lr_start", "be given once", given, "primal_lr is its older name: keep one of them."
            )
        if self.lr_decay_type == "constant":
            return
        if self.primal_lr_finish is None or self.primal_lr_finish > self.lr:
            required = f"be given and at most the first, {self.lr:g}, with lr_decay_type {self.lr_decay_type}"
            remedy = "Lower it, or write lr_decay_type: constant."
            raise InputError("primal_lr_finish", required, self.primal_lr_finish, remedy)

    @property
    def lr(self) -> float:
        """The first learning rate."""
        return self.primal_lr_start or self.primal_lr or 0.0


class Dsgt(Settings):
    """The section ``optimizer_config`` of ``dsgt``."""

    alg_name: str = Field(description="the algorithm")
    outer_iterations: int = Field(ge=1, description="rounds")
    profile: bool | None = Field(None, description="whether torch's profiler runs")
    alpha: float = Field(gt=0, description="the learning rate")
    init_grads: bool = Field(True, description="whether what follows the gradient begins at the first one")


class Dsgd(Settings):
    """The section ``optimizer_config`` of ``dsgd``."""

    alg_name: str = Field(description="the algorithm")
    outer_iterations: int = Field(ge=1, description="rounds")
    profile: bool | None = Field(None, description="whether torch's profiler runs")
    alpha0: float = Field(gt=0, description="the first learning rate")
    mu: float = Field(0.0, ge=0, description="its decay")


Algorithm = Dinno | Dsgt | Dsgd
_ALGORITHMS: dict[str, type[Algorithm]] = {"dinno": Dinno, "cadmm": Dinno, "dsgt": Dsgt, "dsgd": Dsgd}
_TOP = ("experiment", "problem_configs")


@dataclass(frozen=True)
class Run:
    """A section of ``problem_configs``, and its algorithm."""

    section: Section
    algorithm: Algorithm

    @property
    def evaluate_every(self) -> int:
        """Rounds between evaluations."""
        return self.section.metrics_config.evaluate_frequency or self.section.evaluate_frequency or 1


@dataclass(frozen=True)
class Config:
    """An experiment file, complete and checked."""

    setup: MnistSetup | MapSetup
    runs: dict[str, Run]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Config:
        """The experiment of a file.

        Raises:
            InputError: a key is unknown or missing, or its value is not what it must be.

        Example:
            >>> Config.of({"experiment": {}, "problems": {}})
            Traceback (most recent call last):
            holdfast.errors.InputError: problems must be a section of nn_distributed_training's, but 'problems' was \
given. Did you mean 'problem_configs'? Known: experiment, problem_configs.
        """
        for key in content:
            if key not in _TOP:
                raise InputError(str(key), "be a section of nn_distributed_training's", key, nearest(str(key), _TOP))
        found = _mapping("experiment", content.get("experiment"))
        return cls(_setup(found), _runs(_mapping("problem_configs", content.get("problem_configs"))))

    @property
    def given(self) -> list[str]:
        """The keys that the file holds, with their sections; those of problems under ``problem_configs.*``."""
        paths = list(_given(self.setup, "experiment"))
        for run in self.runs.values():
            paths += _given(run.section, "problem_configs.*")
            paths += _given(run.algorithm, "problem_configs.*.optimizer_config")
        return list(dict.fromkeys(paths))


def _setup(found: Mapping[str, Any]) -> MnistSetup | MapSetup:
    """The section ``experiment``: of a map if it says what robots scan."""
    if "data" in found:
        return _checked(MapSetup, "experiment", found)
    return _checked(MnistSetup, "experiment", found)


def _runs(sections: Mapping[str, Any]) -> dict[str, Run]:
    found: dict[str, Run] = {}
    for key, entries in sections.items():
        run = _run(f"problem_configs.{key}", entries)
        name = run.section.problem_name
        if name in found:
            raise InputError(
                f"problem_configs.{key}.problem_name", "be no other problem's", name, "Rename one of them."
            )
        found[name] = run
    return found


def _run(path: str, entries: object) -> Run:
    section = _checked(Section, path, _mapping(path, entries))
    inner, path = section.optimizer_config, f"{path}.optimizer_config"
    name = inner.get("alg_name")
    if not isinstance(name, str) or name not in _ALGORITHMS:
        raise InputError(f"{path}.alg_name", "be an algorithm", name, nearest(str(name), _ALGORITHMS))
    return Run(section, _checked(_ALGORITHMS[name], path, inner))


def _mapping(path: str, entries: object) -> Mapping[str, Any]:
    if not isinstance(entries, Mapping) or not entries:
        raise InputError(path, "map keys to values", entries, "Write the keys below it, indented.")
    return {str(key): value for key, value in entries.items()}


def _checked(kind: type[S], path: str, entries: Mapping[str, Any]) -> S:
    """The settings of a section, errors named as in the file."""
    try:
        return kind.model_validate(entries)
    except InputError as error:
        within = error.field.partition(".")[2]  # instead of the name of the class
        raise InputError(f"{path}.{within}", error.required, error.given, error.remedy) from None


def _given(settings: Settings, path: str) -> Iterator[str]:
    for key in type(settings).model_fields:
        if key in settings.model_fields_set:
            value = getattr(settings, key)
            yield f"{path}.{key}"
            yield from _given(value, f"{path}.{key}") if isinstance(value, Settings) else ()
