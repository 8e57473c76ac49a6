"""What is measured of the models between rounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from holdfast.algorithms import ServerAlgorithm
from holdfast.cohort import Cohort
from holdfast.graphs import spectrum
from holdfast.parts import NodeSide
from holdfast.prepare import Prepared
from holdfast.problems.base import accuracy
from holdfast.record.recorder import Recorder
from holdfast.types import FloatArray, IntArray

__all__ = ["class_mix", "consensus_distances", "judge_nodes", "measure", "pairwise_distance", "record_nodes"]

LOCAL_UP_TO = 1000
"""Up to how many nodes each is judged by what the model that it uses itself does for it."""


def measure(
    run: Prepared, x_KD: Tensor, round: int, log: Recorder, seen_N: FloatArray | None = None
) -> dict[str, float]:
    """Evaluate the model, or every peer's, and record it.

    Args:
        run: the variant.
        x_KD: (1, D) the coordinator's model, or (N, D) the peers'.
        round: how many rounds are done.
        log: where metrics go.
        seen_N: on how many samples each peer has worked so far.

    Returns:
        The metrics of the whole run by name: of peers, the mean over the honest ones.
    """
    nodes = run.everyone if run.peers else np.zeros(0, dtype=np.int64)
    judged = run.honest if run.peers and len(run.honest) else np.arange(len(x_KD))
    found: dict[str, Tensor] = {}
    cohort = run.cohort(nodes, round)
    if any(name.startswith("test_") for name in run.metrics):
        found |= {f"test_{name}": values for name, values in cohort.evaluate(x_KD).items()}
    if "attack_success" in run.metrics and run.probe is not None:
        found |= cohort.judge(x_KD, run.probe, {"attack_success": accuracy})
    if "consensus_error" in run.metrics:
        found["consensus_error"] = consensus_distances(x_KD, judged)
    if "epoch" in run.metrics and seen_N is not None:
        found["epoch"] = torch.from_numpy(seen_N / run.cohort(nodes, max(1, round)).sizes_K)
    whole = _of_the_run(run, x_KD, judged, round)
    for name, value in whole.items():
        log.metric(round, name, value)
    for name, values_K in found.items():
        if name in run.metrics:
            judged_K = values_K[torch.from_numpy(judged)]
            whole[name] = float(judged_K.square().mean().sqrt() if name == "consensus_error" else judged_K.mean())
            log.metrics(round, name, nodes, values_K.numpy()[: len(nodes)])
            log.metric(round, name, whole[name])
    return whole


def _of_the_run(run: Prepared, x_KD: Tensor, judged: IntArray, round: int) -> dict[str, float]:
    """What is measured of the peers together: how far any two are apart, and the graph where it changes."""
    found: dict[str, float] = {}
    if "consensus_pairwise" in run.metrics:
        found["consensus_pairwise"] = pairwise_distance(x_KD[torch.from_numpy(judged)])
    if round and {"spectral_gap", "algebraic_connectivity"} & set(run.metrics):
        found |= spectrum(run.graph(round), run.mixing(round))
    return {name: value for name, value in found.items() if name in run.metrics}


def judge_nodes(run: Prepared, side: NodeSide, nodes_K: IntArray, x_D: Tensor, round: int) -> dict[str, Tensor]:
    """What the model that each node uses itself does for it: on its own samples, and on test samples like them.

    Args:
        run: the variant.
        side: what the nodes remember.
        nodes_K: the nodes.
        x_D: (D,) the coordinator's model.
        round: how many rounds are done.

    Returns:
        By metric that is wanted, (K,) values; nothing where there are too many nodes.
    """
    wanted = {name for name in run.metrics if name.startswith(("local_", "personal_"))}
    if not wanted or run.experiment.nodes > LOCAL_UP_TO:
        return {}
    cohort, found = run.cohort(nodes_K, round), dict[str, Tensor]()
    x_KD = _personal(run, side, cohort, x_D)
    if any(name.startswith("local_") for name in wanted):
        found |= {f"local_{name}": values for name, values in cohort.evaluate_local(x_KD).items()}
    if any(name.startswith("personal_") for name in wanted):
        found |= {f"personal_{name}": values for name, values in _evaluate_personal(cohort, x_KD).items()}
    return {name: values for name, values in found.items() if name in wanted}


def _personal(run: Prepared, side: NodeSide, cohort: Cohort, x_D: Tensor) -> Tensor:
    """(K, D) the model that each node uses itself, or (1, D) where that is the coordinator's."""
    parts, x_KD = run.parts, x_D.unsqueeze(0)
    assert isinstance(parts.algorithm, ServerAlgorithm)
    if type(parts.algorithm).personal is ServerAlgorithm.personal:
        return x_KD

    def start(new: IntArray) -> dict[str, Tensor]:
        return parts.algorithm.start_nodes(parts.initial_D.expand(len(new), -1), run.cohort(new, cohort.round))

    node = side.stores["algorithm"].recall(cohort.nodes_K, start)
    return parts.algorithm.personal(node, x_KD.expand(len(cohort), -1))


def _evaluate_personal(cohort: Cohort, x_KD: Tensor) -> dict[str, Tensor]:
    """Each metric of each row's model on the test samples, which count so that their classes are mixed as the node's.

    In a regression they all count alike.
    """
    inputs, targets = cohort.data.test
    if cohort.data.classes is None:
        return {name: values.expand(len(cohort)) for name, values in cohort.evaluate(x_KD).items()}
    mix_KC = class_mix(cohort)
    found = {name: np.zeros(len(cohort)) for name in cohort.data.metrics}
    for label in np.flatnonzero(mix_KC.any(0)).tolist():
        rows, there = np.flatnonzero(mix_KC[:, label]), targets == label
        some_KD = x_KD if len(x_KD) == 1 else x_KD[rows]
        for name, values in cohort.judge(some_KD, (inputs[there], targets[there]), cohort.data.metrics).items():
            found[name][rows] += mix_KC[rows, label] * values.numpy()
    return {name: torch.from_numpy(values_K) for name, values_K in found.items()}


def class_mix(cohort: Cohort) -> FloatArray:
    """(K, C) the share of each class among a node's training samples, of those that are tested at all.

    A node of which no class is tested has the mix of the test samples.
    """
    labels, classes = cohort.data.train[1].cpu().numpy(), cohort.data.classes or 0
    tested_C = np.bincount(cohort.data.test[1].cpu().numpy(), minlength=classes)
    counts_KC = np.stack([np.bincount(labels[shard], minlength=classes) for shard in cohort.shards]) * (tested_C > 0)
    counts_KC[~counts_KC.any(1)] = tested_C
    shares_KC: FloatArray = counts_KC / counts_KC.sum(1, keepdims=True)
    return shares_KC


def record_nodes(
    run: Prepared, found: Mapping[str, Mapping[int, float]], round: int, log: Recorder
) -> dict[str, float]:
    """Record what nodes found of the models that they use themselves: by metric, each node's value.

    Returns:
        Of the personal metrics, the mean over the honest nodes.
    """
    whole = {}
    for name, by_node in found.items():
        nodes = np.array(sorted(by_node), dtype=np.int64)
        values = np.array([by_node[node] for node in nodes.tolist()])
        log.metrics(round, name, nodes, values)
        if name.startswith("personal_"):
            bad = run.parts.is_byzantine(nodes)
            whole[name] = float(values[bad if bad.all() else ~bad].mean())
            log.metric(round, name, whole[name])
    return whole


def pairwise_distance(x_KD: Tensor) -> float:
    """The mean distance between two rows, relative to the norm of their mean; 0 of a single row.

    Example:
        >>> pairwise_distance(torch.tensor([[1.0], [3.0], [5.0]])) == (2 + 2 + 4) / 3 / 3
        True
    """
    mean_D, pairs = x_KD.mean(0), len(x_KD) * (len(x_KD) - 1)
    apart_KD = x_KD - mean_D  # by the distances alone, whatever the rows have in common
    total = torch.cdist(apart_KD, apart_KD).double().sum() / mean_D.norm().clamp(min=1e-12)
    return float(total) / max(1, pairs)


def consensus_distances(x_KD: Tensor, judged: IntArray) -> Tensor:
    """(K,) each row's distance to the mean of the judged rows, relative to that mean's norm.

    Example:
        >>> consensus_distances(torch.tensor([[1.0], [3.0]]), np.array([0, 1])).tolist()
        [0.5, 0.5]
    """
    mean_D = x_KD[torch.from_numpy(judged)].mean(0)
    distances_K: Tensor = (x_KD - mean_D).norm(dim=1) / mean_D.norm().clamp(min=1e-12)
    return distances_K.cpu()
