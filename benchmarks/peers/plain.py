"""FedAvg as one writes it by hand: one model, and a loop over the clients."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from workload import LEARNING_RATE, SAMPLES_PER_CLIENT, arguments, batches, data, model, report, training_loss


def train(net: nn.Module, optimizer: torch.optim.Optimizer, client: int) -> None:
    """Take one epoch of SGD on a client's samples, in place."""
    for images, labels in batches(client):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()


@torch.no_grad()
def copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    for tensor, values in zip(target, source, strict=True):
        tensor.copy_(values)


@torch.no_grad()
def accumulate(mean: list[Tensor], parameters: Sequence[Tensor], weight: float) -> None:
    for tensor, values in zip(mean, parameters, strict=True):
        tensor.add_(values, alpha=weight)


def run_round(net: nn.Module, optimizer: torch.optim.Optimizer, start: list[Tensor], clients: int) -> list[Tensor]:
    """Train every client from the global parameters; return the mean, weighted by samples."""
    mean = [torch.zeros_like(tensor) for tensor in start]
    parameters = list(net.parameters())
    for client in range(clients):
        copy(start, parameters)
        train(net, optimizer, client)
        accumulate(mean, parameters, SAMPLES_PER_CLIENT / (SAMPLES_PER_CLIENT * clients))
    return mean


def main() -> None:
    options = arguments()
    data()
    net = model(options.model)
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    parameters = [tensor.detach().clone() for tensor in net.parameters()]
    seconds = []
    for _ in range(1 + options.rounds):
        began = time.perf_counter()
        parameters = run_round(net, optimizer, parameters, options.clients)
        seconds.append(time.perf_counter() - began)
    copy(parameters, list(net.parameters()))
    report("plain", torch.__version__, options, seconds[1:], training_loss(net, options.clients))


if __name__ == "__main__":
    main()
