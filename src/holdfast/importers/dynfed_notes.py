"""What to know about the keys of dyn-fed that have no place in an experiment file, or mean something else there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.importers.dynfed_config import Config

__all__ = ["about", "left_out", "notes"]

_DECISIVE = (
    *("model.type", "model.n_iterations", "data.name", "data.batch_size", "optimizer.name", "optimizer.learning_rate"),
    *("distribute.n_workers", "distribute.aggregate_mode"),
)
"""The keys that every run needs, of which older files lack some."""
_ALWAYS = {
    ("model.version",): "there is one implementation here",
    ("model.check_overfitting",): "the losses of training and of test samples are recorded in any case",
    ("model.shuffle", "data.shuffle", "data.shuffle_buffer_size"): (
        "every epoch takes all samples of a node in a new random order"
    ),
    ("distribute.strategy",): "the topology star, which stands where none is named",
    ("distribute.norm_epsilon",): "dyn-fed never reads it",
    ("executor.shared_folder", "executor.config_folder", "executor.tf_dir"): (
        "`holdfast run --data-dir` names the folder of the data sets, --out that of the run, TensorBoard's files in it"
    ),
}
"""What takes the place of keys that have none, whatever they say."""
_UNREAD = (
    *("distribute.remap", "distribute.quantize", "distribute.overlap", "distribute.send_gradients"),
    *("optimizer.mu_g", "optimizer.clip_norm", "optimizer.clip_val"),
)
"""What is mapped as dyn-fed's README describes it, though the TensorFlow version does not read it."""


def notes(config: Config) -> list[str]:
    """What to know, a sentence or two each."""
    return [*left_out(config), *about(config)]


def about(config: Config) -> list[str]:
    """The same without what the file does not say."""
    always = [(_here(config, keys), text) for keys, text in _ALWAYS.items()]
    told = [f"{keys}: {text}." for keys, text in always if keys]
    return [*told, *_of_tensorflow(config), *_of_data(config), *_of_training(config), *_of_schedule(config)]


def _here(config: Config, keys: tuple[str, ...]) -> str:
    """Those of the keys that the file holds."""
    return ", ".join(key for key in keys if key in config.given)


def left_out(config: Config, but: Iterable[str] = ()) -> Iterator[str]:
    """What stands in for keys that the file does not hold.

    Args:
        config: the configuration.
        but: keys that are said elsewhere.
    """
    told = {*config.given, *but} | ({"data.batch_size"} if config.batch_size is None else set())
    if missing := [key for key in _DECISIVE if key not in told]:
        values = ", ".join(f"{key} {_value(config, key)}" for key in missing)
        yield f"The file does not say these, so they are as in dyn-fed's own files: {values}."


def _value(config: Config, key: str) -> object:
    section, _, name = key.partition(".")
    return config.rate if name == "learning_rate" else getattr(getattr(config, section), name)


def _of_tensorflow(config: Config) -> Iterator[str]:
    unread = [key for key in _UNREAD if config.is_tensorflow and _value(config, key)]
    if unread:
        keys = ", ".join(unread)
        yield f"{keys}: as dyn-fed's README describes it, though its TensorFlow version never reads it."


def _of_data(config: Config) -> Iterator[str]:
    yield "distribute.n_workers: one of them is the server, all others are nodes."
    if config.data.noniid:
        yield "data.noniid: the samples that pairs of nodes swap are drawn without replacement, so that none is lost."
    if config.data.unbalanced:
        yield (
            "data.unbalanced: amounts are log-normal, which goes with every partition; dyn-fed cuts at uniformly "
            "random places, which is partition: quantity."
        )
    if "optimizer.n_most_rep" in config.given and config.distribute.remap != 1:
        yield "optimizer.n_most_rep: only distribute.remap 1 has use for it."
    if "distribute.timeout" in config.given:
        yield "distribute.timeout: how long real processes wait in each round; dyn-fed waits so long for them to join."


def _of_training(config: Config) -> Iterator[str]:
    if config.model.type not in ("linear", "svm"):
        yield "model.type: outputs are logits as they are; dyn-fed puts a sigmoid on them before the cross-entropy."
    if config.optimizer.name == "adam" and not config.distribute.send_gradients:
        yield "optimizer.name: a node's Adam begins anew in every round; dyn-fed's goes on."
    if config.distribute.quantize:
        yield "distribute.quantize: updates on their way up; write downlink too to quantise the broadcast."
    if config.comms.mode == 3:
        yield (
            "comms.mode: as published by Kamp et al., who violate the threshold are joined by others until their mean "
            "is within it; dyn-fed averages the violators alone, which is not bounded."
        )
    if config.comms.mode in (1, 2, 4):
        yield (
            "comms.mode: the next broadcast overwrites what a silent node has learned, as in dyn-fed; "
            "keep_local: true in a fedavg keeps it."
        )
    if config.comms.mode != 4 and (keys := _here(config, ("comms.shap_model", "comms.shap_epochs"))):
        yield f"{keys}: only comms.mode 4 has use for it."


def _of_schedule(config: Config) -> Iterator[str]:
    distribute, comms, epochs = config.distribute, config.comms, config.model.n_iterations
    if comms.mode != 3 and distribute.delta_threshold:
        yield "distribute.delta_threshold: only comms.mode 3 has use for it."
    if distribute.delta_switch and not config.switches:
        yield f"distribute.delta_switch: {_no_switch(config)}."
    if comms.mode in (0, 3) and not config.switches and epochs % comms.interval:
        rounds = -(-epochs // comms.interval)
        yield f"comms.interval: {rounds} rounds of {comms.interval} epochs, {rounds * comms.interval}, as in dyn-fed."


def _no_switch(config: Config) -> str:
    if config.comms.mode:
        return f"without effect, as comms.mode {config.comms.mode} is not periodic"
    if config.comms.interval == 1:
        return "without effect, as everybody sends after every epoch"
    return (
        "left out, as dyn-fed's TensorFlow version does not read it; for it write rounds: "
        f"{config.model.n_iterations}, local_epochs: 1 and keep_local: true in the algorithm, and trigger: {{name: "
        f"delta_switch, every: {config.comms.interval}, threshold: {config.distribute.delta_switch:g}}}"
    )
