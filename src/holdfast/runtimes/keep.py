"""What is kept of the models in files of their own: who tells which sample right, and the maps that robots learned."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from holdfast.cohort import Cohort
from holdfast.graphs import PICTURED_NODES, PICTURED_ROUNDS
from holdfast.prepare import Prepared
from holdfast.problems.lidar.pictures import mesh
from holdfast.record.recorder import Recorder
from holdfast.types import BoolArray

__all__ = ["correctness", "keep_maps", "keep_predictions"]


def keep_predictions(run: Prepared, x_ND: Tensor, log: Recorder) -> None:
    """Keep which test samples each peer tells right, where that can be said and the peers are not too many."""
    if run.peers and run.experiment.nodes <= PICTURED_NODES and "accuracy" in run.data.metrics:
        log.arrays("predictions", correct=correctness(run.cohort(run.everyone, run.experiment.rounds), x_ND))


def correctness(cohort: Cohort, x_KD: Tensor) -> BoolArray:
    """(K, S) which test samples each row's model tells right."""
    blocks = defaultdict[int, list[Tensor]](list)
    metrics = {"accuracy": cohort.data.metrics["accuracy"]}
    for _, start, values in cohort.per_sample(x_KD, *cohort.data.test, metrics):
        blocks[start].append(values.cpu() >= 0.5)
    found: BoolArray = torch.cat([torch.cat(parts, dim=1) for parts in blocks.values()]).numpy()
    return found


def keep_maps(run: Prepared, x_KD: Tensor, round: int, log: Recorder) -> None:
    """Keep what each model makes of the map that robots learn: the last that there is in each part of the run."""
    if run.robots is None or len(x_KD) > PICTURED_NODES:
        return
    drive, site = run.robots.drive, run.robots.site
    maps_KHW = mesh(lambda inputs: _outputs(run, x_KD, inputs), site.mesh_HW2.to(run.engine.device))
    if round == 0:
        log.arrays("maps/plan", density=_bytes(site.density_HW), extent=site.plan.extent, paths=drive.poses_RP2)
    part = round * (PICTURED_ROUNDS - 1) // run.experiment.rounds
    log.arrays(f"maps/{part:02}", round=round, maps=_bytes(maps_KHW), places=drive.positions(max(1, round)))


def _outputs(run: Prepared, x_KD: Tensor, inputs: Tensor) -> Tensor:
    """(K, B, 1) what each row's network answers, as many rows at once as the engine takes."""
    views = (run.engine.layout.views(rows) for rows in x_KD.split(run.engine.chunk))
    return torch.cat([run.engine.outputs(some, inputs) for some in views])


def _bytes(shares: Tensor) -> np.ndarray:
    """Numbers in [0, 1] as bytes; one that is none as ½."""
    return (255 * shares.nan_to_num(0.5)).round().byte().cpu().numpy()
