"""FedAvg in Flower's simulation, without evaluation, with one model kept in each Ray actor."""

import os
import time
from collections.abc import Iterable
from importlib.metadata import version

# Both packages would call home; Flower reads its switch when it is imported.
os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from torch import nn
from workload import (
    LEARNING_RATE,
    SAMPLES_PER_CLIENT,
    arguments,
    batches,
    kept_model,
    model,
    report,
    training_loss,
)

CORES = len(os.sched_getaffinity(0))
CLIENT_CPUS = int(os.environ.get("CLIENT_CPUS", "2"))  # 2 is what Flower comes with; 1 is the faster here


class TimedFedAvg(FedAvg):
    """Flower's FedAvg, with a look at the clock at both ends of a round."""

    def __init__(self) -> None:
        super().__init__(fraction_evaluate=0.0)
        self.began: list[float] = []
        self.ended: list[float] = []

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Note when a round begins."""
        self.began.append(time.perf_counter())
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Note when a round ends."""
        replies = list(replies)
        if any(reply.has_error() for reply in replies):
            raise RuntimeError("a client failed: the round would look faster than it is")
        mean, metrics = super().aggregate_train(server_round, replies)
        self.ended.append(time.perf_counter())
        return mean, metrics


def train(message: Message, context: Context) -> Message:
    """Take one epoch of SGD on one client's samples."""
    net = kept_model(str(message.content["config"]["model"]))
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    for images, labels in batches(int(context.node_config["partition-id"])):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
    metrics = MetricRecord({"num-examples": SAMPLES_PER_CLIENT})
    content = RecordDict({"arrays": ArrayRecord(net.state_dict()), "metrics": metrics})
    return Message(content=content, reply_to=message)


def main() -> None:
    options = arguments()
    client_app, server_app, strategy = ClientApp(), ServerApp(), TimedFedAvg()
    client_app.train()(train)
    net = model(options.model)

    @server_app.main()
    def serve(grid: Grid, context: Context) -> None:
        result = strategy.start(
            grid=grid,
            initial_arrays=ArrayRecord(net.state_dict()),
            num_rounds=1 + options.rounds,
            train_config=ConfigRecord({"model": options.model}),
        )
        net.load_state_dict(result.arrays.to_torch_state_dict())

    backend = {
        "init_args": {"num_cpus": CORES, "include_dashboard": False, "log_to_driver": False},
        "client_resources": {"num_cpus": CLIENT_CPUS, "num_gpus": 0.0},
    }
    run_simulation(server_app, client_app, num_supernodes=options.clients, backend_config=backend)
    seconds = [ended - began for began, ended in zip(strategy.began, strategy.ended, strict=True)]
    report("flower", version("flwr"), options, seconds[1:], training_loss(net, options.clients))


if __name__ == "__main__":
    main()
