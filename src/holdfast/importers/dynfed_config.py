"""What a configuration of dyn-fed, or of its elder fault-tolerant-ml, may say: every key, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from holdfast.component import Settings
from holdfast.errors import InputError, nearest

__all__ = ["Comms", "Config", "Data", "Distribute", "Executor", "Model", "Optimizer", "Sections", "sections"]

Sections = dict[str, dict[str, Any]]
"""What a file says, each key in the section where dyn-fed has it now."""


class Model(Settings):
    """The section ``model``."""

    version: str | int | float | None = Field(None, description="which of dyn-fed's own implementations runs")
    type: Literal["logistic", "nn1", "nn2", "cnn1", "linear", "svm"] = Field("logistic", description="the network")
    n_iterations: int = Field(100, ge=1, description="local epochs in all")
    check_overfitting: bool = Field(False, description="whether nodes evaluate too")
    shuffle: bool = Field(True, description="whether each epoch is in a new order")


class Data(Settings):
    """The section ``data``."""

    name: Literal["mnist", "fashion_mnist", "fashion-mnist", "occupancy", "occupancy_data", "year_prediction_msd"] = (
        Field("mnist", description="the data set")
    )
    shuffle: bool = Field(True, description="whether the data set is shuffled")
    batch_size: int = Field(64, ge=1, description="samples in a batch")
    shuffle_buffer_size: int = Field(100, ge=1, description="samples that are shuffled at a time")
    noniid: bool = Field(False, description="whether nodes hold different classes, 0 or 1")
    unbalanced: bool = Field(False, description="whether nodes hold different amounts, 0 or 1")


class Optimizer(Settings):
    """The section ``optimizer``."""

    name: Literal["sgd", "adam"] = Field("sgd", description="the optimiser")
    learning_rate: float | None = Field(None, gt=0, description="the learning rate")
    clip_norm: float = Field(0.0, ge=0, description="greatest norm of a gradient; 0 clips none")
    clip_val: float = Field(0.0, ge=0, description="greatest value of a gradient's element; 0 clips none")
    mu_g: float = Field(0.0, ge=0, description="the pull to the global model")
    n_most_rep: int = Field(100, ge=0, le=10_000, description="how many samples each node reports, in samples")


class Comms(Settings):
    """The section ``comms``."""

    mode: Literal[0, 1, 2, 3, 4] = Field(
        0, description="who sends when: 0 periodic, 1 svd, 2 loss, 3 dynamic averaging, 4 Shapley"
    )
    interval: int = Field(1, ge=1, description="from one exchange to the next, in epochs")
    shap_model: Literal["logistic"] = Field("logistic", description="the small model of mode 4")
    shap_epochs: int = Field(50, ge=1, description="epochs of the small model of mode 4")


class Distribute(Settings):
    """The section ``distribute``, whose keys stood in ``executor`` before."""

    n_workers: int = Field(8, ge=2, description="processes, of which one is the server")
    strategy: Literal["mw", "master_worker"] = Field("mw", description="a server and its workers")
    remap: Literal[0, 1, 2] = Field(
        0, description="what becomes of a dead node's data: 1 its most representative samples, 2 all cut anew"
    )
    quantize: bool = Field(False, description="whether what is sent is quantised, 0 or 1")
    overlap: float = Field(0.0, ge=0, description="how far nodes share samples, as a fraction")
    aggregate_mode: Literal[0, 1, 2, 3] = Field(
        1, description="what a node weighs: 0 all the same, 1 its samples, 2 its loss, 3 its svd index"
    )
    delta_switch: float = Field(0.0, ge=0, description="the change under which every epoch is sent; 0 for never")
    delta_threshold: float = Field(0.0, ge=0, description="the threshold of mode 3")
    timeout: float = Field(30.0, gt=0, description="seconds that others are waited for")
    send_gradients: bool = Field(False, description="whether gradients are sent, 0 or 1")
    norm_epsilon: float = Field(1.0, description="nothing")


class Executor(Settings):
    """The section ``executor``."""

    scenario: int | str | None = Field(None, description="a label")
    shared_folder: str = Field("data/", description="where data sets lie")
    config_folder: str = Field("config/", description="where configurations lie")
    tf_dir: str | None = Field(None, description="where TensorBoard's files lie")


_SECTIONS: dict[str, type[Settings]] = {
    "model": Model,
    "data": Data,
    "optimizer": Optimizer,
    "comms": Comms,
    "distribute": Distribute,
    "executor": Executor,
}
_ELSEWHERE: dict[str, dict[str, str]] = {
    "model": dict.fromkeys(("batch_size", "shuffle_buffer_size"), "data"),
    "distribute": dict.fromkeys(Comms.model_fields, "comms"),
    "executor": {**dict.fromkeys(Comms.model_fields, "comms"), **dict.fromkeys(Distribute.model_fields, "distribute")},
}
"""Where the keys of older files belong now."""
_RENAMED = {"comm_period": "interval"}


@dataclass(frozen=True)
class Config:
    """A configuration, complete and checked, one field for each of its sections."""

    model: Model
    data: Data
    optimizer: Optimizer
    comms: Comms
    distribute: Distribute
    executor: Executor

    @classmethod
    def of(cls, found: Sections) -> Config:
        """The configuration of these sections.

        Raises:
            InputError: a key is unknown, or its value is not what it must be.

        Example:
            >>> Config.of({"comms": {"mode": 3}}).comms
            Comms(mode=3, interval=1, shap_model='logistic', shap_epochs=50)
            >>> Config.of({"comms": {"mode": 5}})
            Traceback (most recent call last):
            holdfast.errors.InputError: comms.mode must be 0, 1, 2, 3 or 4, but 5 was given. \
It says who sends when: 0 periodic, 1 svd, 2 loss, 3 dynamic averaging, 4 Shapley; left out, it is 0.
        """
        made: dict[str, Any] = {name: kind.model_validate(found.get(name, {})) for name, kind in _SECTIONS.items()}
        return cls(**made)

    @property
    def given(self) -> set[str]:
        """The keys that the file holds, each as ``section.key``."""
        return {f"{name}.{key}" for name in _SECTIONS for key in getattr(self, name).model_fields_set}

    @property
    def rate(self) -> float:
        """The learning rate: the file's, or that of dyn-fed's README."""
        return self.optimizer.learning_rate or {"sgd": 0.01, "adam": 0.001}[self.optimizer.name]

    @property
    def batch_size(self) -> int | None:
        """The samples of a batch; nodes that send gradients take all of theirs where the file says nothing."""
        whole = self.distribute.send_gradients and "data.batch_size" not in self.given
        return None if whole else self.data.batch_size

    @property
    def is_tensorflow(self) -> bool:
        """Whether dyn-fed would run its TensorFlow version, which reads fewer keys."""
        return str(self.model.version).upper() == "TF"

    @property
    def switches(self) -> bool:
        """Whether nodes send after every interval only until the model comes to rest."""
        at_intervals = self.comms.mode == 0 and self.comms.interval > 1
        return at_intervals and self.distribute.delta_switch > 0 and not self.is_tensorflow


def sections(content: Mapping[str, Any]) -> Sections:
    """What a file says, each key in the section where dyn-fed has it now.

    Raises:
        InputError: a section is unknown or none, or a key stands in two places.

    Example:
        >>> sections({"executor": {"comm_period": 10, "remap": 1, "scenario": 7}})
        {'comms': {'interval': 10}, 'distribute': {'remap': 1}, 'executor': {'scenario': 7}}
    """
    found: Sections = {}
    for section, key, value in _entries(content):
        name = _RENAMED.get(key, key)
        home = _ELSEWHERE.get(section, {}).get(name, section)
        if name in found.setdefault(home, {}):
            remedy = f"It is an older name of {home}.{name}, which is given too: remove one of them."
            raise InputError(f"{section}.{key}", "be given once", value, remedy)
        found[home][name] = value
    return found


def _entries(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for section, entries in content.items():
        if section not in _SECTIONS:
            raise InputError(section, "be a section of dyn-fed's", section, nearest(section, _SECTIONS))
        if not isinstance(entries, Mapping | None):
            raise InputError(section, "map keys to values", entries, "Write the keys below it, indented.")
        yield from ((section, str(key), value) for key, value in (entries or {}).items())
