"""A network, a loss and metrics tried on two samples, so that what does not fit shows before anything runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.batches import batches_per_epoch
from holdfast.cohort import Data
from holdfast.dropout import addressed
from holdfast.engines import coupled
from holdfast.errors import InputError

__all__ = ["check_batches", "check_task"]

PerSample = Callable[[Tensor, Tensor], Tensor]


def check_task(model: nn.Module, data: Data) -> None:
    """Whether the network takes the inputs, and the loss and the metrics give one number a sample.

    Args:
        model: the network; it is copied.
        data: the samples and the metrics, the loss among them.

    Raises:
        InputError: they do not fit together.
    """
    inputs, targets = (tensor[[0, -1]] for tensor in data.train)
    network = copy.deepcopy(model).to(inputs.device).eval()
    try:
        outputs = network(inputs)
    except Exception as error:  # whatever a user's network raises is the user's to mend
        given = f"{inputs.dtype} inputs of shape {tuple(inputs.shape)}"
        remedy = f"It raised {type(error).__name__}: {error}. Convert the data, or mend the network."
        raise InputError("problem.model", "take a batch of the problem's inputs", given, remedy) from error
    _check_metrics(data.metrics, outputs, targets)


def _check_metrics(metrics: Mapping[str, PerSample], outputs: Tensor, targets: Tensor) -> None:
    for name, metric in metrics.items():
        try:
            values = metric(outputs, targets)
        except Exception as error:  # the same
            given = f"outputs {tuple(outputs.shape)} and {targets.dtype} targets {tuple(targets.shape)}"
            remedy = f"It raised {type(error).__name__}: {error}. Mend it, the targets, or the network's outputs."
            raise InputError(f"problem.{name}", "take outputs and targets", given, remedy) from error
        if values.ndim == 0 or len(values) != len(targets):
            given = f"shape {tuple(values.shape)} for {len(targets)} samples"
            remedy = "Leave out the mean over the samples: reduction='none' in torch."
            raise InputError(f"problem.{name}", "give one number a sample", given, remedy)


def check_batches(model: nn.Module, data: Data, batch_size: int | None, grows: bool = False) -> None:
    """Whether a network with batch normalisation is spared batches of one sample, where it cannot take them.

    Args:
        model: the network; it is copied.
        data: samples and shards.
        batch_size: in samples; ``None`` takes all samples of a node.
        grows: whether nodes take samples of others over.

    Raises:
        InputError: a node would meet such a batch, or might.
    """
    if not coupled(model) or _takes_one_sample(model, data.train[0][:1]):
        return
    if grows:
        required = "be none with batch normalisation, which a batch of a single sample may meet"
        remedy = "Leave it out, or use a network with group or layer normalisation instead."
        raise InputError("recovery", required, "another kind", remedy)
    sizes = data.sizes(len(data.shards))
    whole = sizes if batch_size is None else np.minimum(batch_size, sizes)
    alone = np.flatnonzero(sizes - (batches_per_epoch(sizes, batch_size) - 1) * whole == 1)
    if not len(alone):
        return
    node = int(alone[0])
    given = f"batch_size {batch_size} with {sizes[node]} samples on node {node}"
    if len(alone) > 1:
        given += f", and the same on {len(alone) - 1} other nodes"
    remedy = "Use another batch_size or partition, or a network with group or layer normalisation instead."
    required = "leave no node a batch of a single sample, which batch normalisation cannot take"
    raise InputError("algorithm.batch_size", required, given, remedy)


def _takes_one_sample(model: nn.Module, inputs: Tensor) -> bool:
    network = copy.deepcopy(model).to(inputs.device).train()
    try:
        with torch.no_grad(), addressed(0, inputs.device):
            network(inputs)
    except ValueError:
        return False
    return True
