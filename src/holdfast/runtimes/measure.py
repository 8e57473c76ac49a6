"""What is measured of the models between rounds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from holdfast.prepare import Prepared
from holdfast.problems.base import accuracy
from holdfast.record.recorder import Recorder
from holdfast.types import IntArray

__all__ = ["consensus_distances", "measure"]

LOCAL_UP_TO = 1000
"""Up to how many nodes the model is judged on each node's own samples."""


def measure(run: Prepared, x_KD: Tensor, round: int, last: bool, log: Recorder) -> dict[str, float]:
    """Evaluate the model, or every peer's, and record it.

    Args:
        run: the variant.
        x_KD: (1, D) the coordinator's model, or (N, D) the peers'.
        round: how many rounds are done.
        last: whether this is the final evaluation, which also judges the model on each node's own samples.
        log: where metrics go.

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
    whole = {}
    for name, values_K in found.items():
        if name in run.metrics:
            judged_K = values_K[torch.from_numpy(judged)]
            whole[name] = float(judged_K.square().mean().sqrt() if name == "consensus_error" else judged_K.mean())
            log.metrics(round, name, nodes, values_K.numpy()[: len(nodes)])
            log.metric(round, name, whole[name])
    if last and not run.peers and run.experiment.nodes <= LOCAL_UP_TO:
        _local(run, x_KD[0], round, log)
    return whole


def _local(run: Prepared, x_D: Tensor, round: int, log: Recorder) -> None:
    wanted = [name for name in run.metrics if name.startswith("local_")]
    if wanted:
        for name, values_K in run.cohort(run.everyone, round).evaluate_local(x_D).items():
            if f"local_{name}" in wanted:
                log.metrics(round, f"local_{name}", run.everyone, values_K.numpy())


def consensus_distances(x_KD: Tensor, judged: IntArray) -> Tensor:
    """(K,) each row's distance to the mean of the judged rows, relative to that mean's norm.

    Example:
        >>> consensus_distances(torch.tensor([[1.0], [3.0]]), np.array([0, 1])).tolist()
        [0.5, 0.5]
    """
    mean_D = x_KD[torch.from_numpy(judged)].mean(0)
    distances_K: Tensor = (x_KD - mean_D).norm(dim=1) / mean_D.norm().clamp(min=1e-12)
    return distances_K.cpu()
