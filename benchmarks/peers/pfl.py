"""FedAvg in pfl-research: its simulated backend, one process a core under torchrun, no evaluation."""

import os
import sys
import time
from importlib.metadata import version

sys.path.append(sys.path.pop(0))  # this file is called pfl.py too; the installed one must come first

import numpy as np
import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.aggregate.weighting import WeightByDatapoints
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.pytorch import PyTorchTensorDataset
from pfl.data.sampling import get_user_sampler
from pfl.hyperparam import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics, Weighted
from pfl.model.pytorch import PyTorchModel
from torch import Tensor, nn
from workload import (
    BATCH,
    LEARNING_RATE,
    SAMPLES_PER_CLIENT,
    SEED,
    arguments,
    data,
    model,
    report,
    samples_of,
    training_loss,
)

CORES = len(os.sched_getaffinity(0))


class Trainable(nn.Module):
    """A model with the two methods that pfl asks for."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Give what a step of SGD makes smaller."""
        return nn.functional.cross_entropy(self.net(images), labels)

    def metrics(self, images: Tensor, labels: Tensor) -> dict[str, Weighted]:
        """Evaluate on a client's samples; pfl insists on it in the first round."""
        return {"loss": Weighted(self.loss(images, labels).item() * len(labels), len(labels))}


class Clock(TrainingProcessCallback):
    """Notes when each round ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def after_central_iteration(
        self, aggregate_metrics: Metrics, model: PyTorchModel, *, central_iteration: int
    ) -> tuple[bool, Metrics]:
        """Take the time, and let the training go on."""
        self.times.append(time.perf_counter())
        return False, Metrics()


def client_data(client: int) -> PyTorchTensorDataset:
    """Shuffle a client's samples; pfl cuts them into batches in this order."""
    order = torch.randperm(SAMPLES_PER_CLIENT) + samples_of(client).start
    return PyTorchTensorDataset(tuple(tensor[order] for tensor in data()), user_id=str(client))


def simulate(net: nn.Module, clients: int, rounds: int) -> list[float]:
    """Train ``net`` in place; return the seconds of each round after the first."""
    federated = FederatedDataset(client_data, get_user_sampler("minimize_reuse", list(range(clients))))
    backend = SimulatedBackend(federated, federated, postprocessors=[WeightByDatapoints()])
    central = torch.optim.SGD(net.parameters(), lr=1.0)  # with lr 1, the plain mean
    clock = Clock()
    FederatedAveraging().run(
        # pfl always evaluates in the first round, which is not measured; here, never again.
        NNAlgorithmParams(1 + rounds, evaluation_frequency=2 + rounds, train_cohort_size=clients, val_cohort_size=0),
        backend,
        PyTorchModel(Trainable(net), torch.optim.SGD, central),
        NNTrainHyperParams(local_batch_size=BATCH, local_num_epochs=1, local_learning_rate=LEARNING_RATE),
        NNEvalHyperParams(local_batch_size=None),
        callbacks=[clock],
        send_metrics_to_platform=False,
    )
    return np.diff(clock.times).tolist()


def main() -> None:
    if CORES > 1 and "LOCAL_RANK" not in os.environ:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(CORES)]
        os.execv(sys.executable, [sys.executable, *launcher, *sys.argv])
    options = arguments()
    data()
    np.random.seed(SEED)  # pfl wants all its processes to draw the same users
    net = model(options.model)
    torch.manual_seed(SEED + int(os.environ.get("LOCAL_RANK", "0")))
    seconds = simulate(net, options.clients, options.rounds)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        report("pfl", version("pfl"), options, seconds, training_loss(net, options.clients))


if __name__ == "__main__":
    main()
