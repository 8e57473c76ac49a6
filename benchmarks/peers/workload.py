"""The job every contender does: synthetic data, three models, one command line, one line of JSON.

It imports nothing but PyTorch, so that each contender can use it from its own environment.
"""

import argparse
import functools
import json
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

SEED = 1
SAMPLES = 60_000  # in the data set, as in MNIST
SAMPLES_PER_CLIENT = 600
BATCH = 32  # samples a step
LEARNING_RATE = 0.01
MODELS = ("mlp", "logistic", "cnn")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read ``--model``, ``--clients`` and ``--rounds``, the same for every contender."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--clients", type=int, required=True, help="all take part in every round")
    parser.add_argument("--rounds", type=int, required=True, help="measured rounds, after one that warms up")
    return parser.parse_args(argv)


@functools.cache
def data() -> tuple[Tensor, Tensor]:
    """Make MNIST-shaped images, uniform in [0, 1), and random labels; the same in every process."""
    generator = torch.Generator().manual_seed(SEED)
    images = torch.rand(SAMPLES, 1, 28, 28, generator=generator)
    labels = torch.randint(10, (SAMPLES,), generator=generator)
    return images, labels


def samples_of(client: int) -> slice:
    """Say which samples a client holds; the data is random, so a run of neighbours is a fair share."""
    return slice(client * SAMPLES_PER_CLIENT, (client + 1) * SAMPLES_PER_CLIENT)


def batches(client: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Give one epoch of a client's samples in random batches."""
    images, labels = (tensor[samples_of(client)] for tensor in data())
    for batch in torch.randperm(len(labels)).split(BATCH):
        yield images[batch], labels[batch]


def model(name: str) -> nn.Module:
    """Build a model, with the same initial values in every process."""
    torch.manual_seed(SEED)
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    if name == "logistic":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    convolution = (nn.Conv2d(1, 3, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    return nn.Sequential(*convolution, nn.Linear(432, 64), nn.ReLU(), nn.Linear(64, 10))


@functools.cache
def kept_model(name: str) -> nn.Module:
    """Build a model once a process, for contenders whose clients share worker processes."""
    return model(name)


@torch.no_grad()
def training_loss(net: nn.Module, clients: int) -> float:
    """Average the loss over all clients' samples: shows that every contender really trained."""
    images, labels = (tensor[: clients * SAMPLES_PER_CLIENT] for tensor in data())
    return nn.functional.cross_entropy(net(images), labels).item()


def report(
    peer: str, version: str, options: argparse.Namespace, seconds_per_round: Iterable[float], loss: float
) -> None:
    """Print the result of a contender: one line of JSON, the only one that starts with a brace."""
    case = {"model": options.model, "clients": options.clients, "rounds": options.rounds}
    seconds = [round(second, 6) for second in seconds_per_round]
    result = {"peer": peer, "version": version, **case, "seconds_per_round": seconds, "loss": round(loss, 5)}
    print(json.dumps(result), flush=True)
