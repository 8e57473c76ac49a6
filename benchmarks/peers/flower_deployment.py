"""Rounds of Flower's deployment engine: a SuperLink and its SuperNodes as processes on loopback, no training.

A client adds a constant to what it received, so a round is what the framework costs: broadcast, upload, FedAvg.
This file is both the launcher and the Flower app, of which the launcher writes a copy into a temporary directory.

What an informed user sets is set: no TLS, state in memory, no telemetry, no installing of dependencies. Two things
were tried and left: `--isolation process` gained nothing with 4 nodes, and a SuperExec that looks for work four times
a second instead of once gained nothing with 4 and seemed slower with 20 on two cores. What is left is Flower's own:
a new process for each client and round, and pauses of three seconds when a SuperNode, or the server, found nothing.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

HOST = "127.0.0.1"
COMMANDS = Path(sys.executable).parent
WARM_UP = 2  # rounds that do not count
START_LIMIT = 300.0  # seconds until all processes must be there
ROUND_LIMIT = 120.0  # seconds a round may take
STEP = 0.01  # node n adds (n + 1) steps: equal uploads would be stored, and sent, only once
SETTINGS = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}
PROJECT = """\
[project]
name = "rounds"
version = "1.0.0"
dependencies = []

[tool.flwr.app]
publisher = "holdfast"

[tool.flwr.app.components]
serverapp = "flower_deployment:server_app"
clientapp = "flower_deployment:client_app"

[tool.flwr.app.config]
nodes = {nodes}
parameters = {parameters}
rounds = {rounds}
seconds = "{seconds}"
"""
CONNECTION = """\
[superlink]
default = "loopback"

[superlink.loopback]
address = "{address}"
insecure = true
"""

client_app = ClientApp()
server_app = ServerApp()


class TimedFedAvg(FedAvg):
    """Flower's FedAvg over all nodes, with a look at the clock at both ends of a round."""

    def __init__(self, nodes: int) -> None:
        super().__init__(fraction_evaluate=0.0, min_train_nodes=nodes, min_available_nodes=nodes)
        self.nodes = nodes
        self.began = 0.0
        self.seconds: list[float] = []

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Note when a round begins."""
        self.began = time.perf_counter()
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Note how long a round took."""
        replies = list(replies)
        if len(replies) < self.nodes or any(reply.has_error() for reply in replies):
            raise RuntimeError("a client failed: the round would look faster than it is")
        mean, metrics = super().aggregate_train(server_round, replies)
        self.seconds.append(time.perf_counter() - self.began)
        return mean, metrics


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Return what came plus a constant of this node's own."""
    change = np.float32(STEP * (1 + int(context.node_config["partition-id"])))
    arrays = [array + change for array in message.content["arrays"].to_numpy_ndarrays()]
    content = RecordDict({"arrays": ArrayRecord(arrays), "metrics": MetricRecord({"num-examples": 1})})
    return Message(content=content, reply_to=message)


@server_app.main()
def serve(grid: Grid, context: Context) -> None:
    """Run the rounds once all nodes are there, check the outcome, and leave the times in a file."""
    nodes, rounds = int(context.run_config["nodes"]), int(context.run_config["rounds"])
    while len(list(grid.get_node_ids())) < nodes:
        time.sleep(1)
    start = np.random.default_rng(1).random(int(context.run_config["parameters"]), dtype=np.float32)
    strategy = TimedFedAvg(nodes)
    result = strategy.start(grid=grid, initial_arrays=ArrayRecord([start]), num_rounds=rounds)
    expected = start + rounds * STEP * (nodes + 1) / 2
    np.testing.assert_allclose(result.arrays.to_numpy_ndarrays()[0], expected, rtol=1e-4)
    Path(str(context.run_config["seconds"])).write_text(json.dumps(strategy.seconds))


class Deployment:
    """The processes of one federation, each with a home and a log of its own in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, name: str, *command: str | int) -> subprocess.Popen[bytes]:
        """Start one of Flower's commands."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        folders = {"FLWR_HOME": str(home), "TMPDIR": str(home), "PATH": f"{COMMANDS}:{os.environ['PATH']}"}
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [COMMANDS / str(command[0]), *map(str, command[1:])],
                env=os.environ | SETTINGS | folders,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start_superlink(self, port: int) -> None:
        """Start the SuperLink and wait until it answers."""
        process = self.start("superlink", "flower-superlink", "--insecure", "--host", HOST, "--port", port)
        deadline = time.monotonic() + START_LIMIT
        while not answers(f"http://{HOST}:{port}/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the SuperLink did not start: {self.told('superlink')}")
            time.sleep(0.1)

    def start_supernode(self, node: int, superlink: int, port: int) -> None:
        """Start a SuperNode, which starts its own SuperExec, which starts the client of each round."""
        link = ("--superlink", f"{HOST}:{superlink}", "--node-config", f"partition-id={node}")
        self.start(f"node{node}", "flower-supernode", "--insecure", "--host", HOST, "--port", port, *link)

    def run(self, superlink: int, time_limit: float) -> None:
        """Hand in the app and wait until the run has ended."""
        (self.folder / "run").mkdir()
        (self.folder / "run" / "config.toml").write_text(CONNECTION.format(address=f"{HOST}:{superlink}"))
        process = self.start("run", "flwr", "run", str(self.folder / "app"), "--stream")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(time_limit)

    def told(self, name: str) -> str:
        """Give the end of a log."""
        return (self.folder / f"{name}.log").read_text(errors="replace").strip()[-2000:]

    def kill(self) -> None:
        """Kill the processes and all that they started, known by the folder in their environment."""
        while processes := processes_with(self.folder):
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.05)


def processes_with(folder: Path) -> list[int]:
    """Find the processes that were started with this folder in their environment."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if os.fsencode(folder) in environment.read_bytes():
                found.append(int(environment.parent.name))
    return found


def answers(address: str) -> bool:
    """Say whether a server answers at this address."""
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def reserved_ports(count: int) -> Iterator[list[int]]:
    """Keep ports from being given to others; a server that sets SO_REUSEADDR, as Flower's do, may listen there."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for reserved in sockets:
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind((HOST, 0))
        yield [reserved.getsockname()[1] for reserved in sockets]


@contextlib.contextmanager
def deployment() -> Iterator[Deployment]:
    """Give a folder for processes, and remove both, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="flower-") as folder:
        processes = Deployment(Path(folder))
        try:
            yield processes
        finally:
            processes.kill()


def measure(nodes: int, parameters: int, rounds: int) -> list[float]:
    """Give the seconds of each round."""
    with deployment() as processes, reserved_ports(nodes + 1) as (superlink, *ports):
        app, seconds = processes.folder / "app", processes.folder / "seconds.json"
        app.mkdir()
        project = PROJECT.format(nodes=nodes, parameters=parameters, rounds=rounds, seconds=seconds)
        (app / "pyproject.toml").write_text(project)
        shutil.copy(__file__, app / "flower_deployment.py")
        processes.start_superlink(superlink)
        for node, port in enumerate(ports):
            processes.start_supernode(node, superlink, port)
        processes.run(superlink, START_LIMIT + rounds * ROUND_LIMIT)
        if not seconds.exists():
            raise RuntimeError(f"the run failed: {processes.told('run')}")
        return list(json.loads(seconds.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--parameters", type=int, default=1_600_000)
    parser.add_argument("--rounds", type=int, default=10, help=f"of which the first {WARM_UP} do not count")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    seconds = [round(second, 6) for second in measure(**vars(options))]
    peer = "flower deployment " + ".".join(version("flwr").split(".")[:2])
    median = round(statistics.median(seconds[WARM_UP:]), 6)
    print(json.dumps({"peer": peer, **vars(options), "seconds_per_round": median, "all": seconds}), flush=True)


if __name__ == "__main__":
    main()
