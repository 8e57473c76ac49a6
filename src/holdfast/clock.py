"""A virtual clock: how long nodes compute and links carry in a simulation, and when nodes are there at all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from holdfast.component import Settings
from holdfast.errors import InputError
from holdfast.seeding import address
from holdfast.types import BoolArray, FloatArray, IntArray

__all__ = ["Availability", "Machines", "VirtualClock"]

NODE_COLUMNS = ("node", "compute", "up", "down", "latency")
TIME_COLUMNS = ("node", "start", "stop")


class VirtualClock(Settings):
    """What a simulation takes for the speed of its nodes and of their links to the coordinator.

    A node that works on n samples, hears a bytes and says b takes

        latency + 8a / (10⁶ down) + n · compute / speed + 8b / (10⁶ up) + latency

    seconds. Speeds, and factors of the bandwidths, are lognormal with median 1, drawn once for each node. Files, found
    from the folder in which the run is started, say more: `nodes` has the columns ``node,compute,up,down,latency``, of
    which only ``node`` must be there and an empty cell means the value below; `availability` has ``node,start,stop``,
    a line for each time that a node is there, in seconds (a node without a line is always there).

    Example:
        >>> clock = VirtualClock(compute=0.01, up=8, down=80, latency=0.5)
        >>> machines = clock.machines(nodes=2, seed=1)
        >>> machines.seconds(np.array([0, 1]), np.array([100, 0]), np.array([10**7] * 2), np.array([10**6] * 2))
        array([4., 3.])
    """

    compute: float = Field(1e-3, gt=0, description="seconds for the gradient of one sample on a node of speed 1")
    up: float = Field(10.0, gt=0, description="bandwidth from a node to the coordinator, in megabits a second")
    down: float = Field(50.0, gt=0, description="bandwidth from the coordinator to a node, in megabits a second")
    latency: float = Field(0.05, ge=0, description="seconds that a message takes one way, whatever its size")
    speed_spread: float = Field(0.0, ge=0, le=5, description="σ of the logarithm of the nodes' speeds (no unit)")
    link_spread: float = Field(0.0, ge=0, le=5, description="σ of the logarithm of the nodes' bandwidths (no unit)")
    nodes: str | None = Field(None, description="a CSV file with the speed and the links of single nodes")
    availability: str | None = Field(None, description="a CSV file that says when nodes are there")
    over_selection: float = Field(
        1.0, ge=1, description="how many times as many nodes are asked as are waited for; the slowest are left behind"
    )
    deadline: float | None = Field(None, gt=0, description="seconds after which a round waits for nobody more")

    def machines(self, nodes: int, seed: int) -> Machines:
        """The speed and the links of every node.

        Raises:
            InputError: the file cannot be read, or names a node that there is not.
        """
        speed_N = self._spread("speed", self.speed_spread, nodes, seed)
        link_N = self._spread("link", self.link_spread, nodes, seed)
        compute_N, latency_N = self.compute / speed_N, np.full(nodes, self.latency)
        found = Machines(compute_N, self.up * link_N, self.down * link_N, latency_N)
        for row in _rows("clock.nodes", self.nodes, NODE_COLUMNS, nodes) if self.nodes else ():
            node = int(row["node"])
            for name, values_N in zip(NODE_COLUMNS[1:], found, strict=True):
                values_N[node] = row.get(name, values_N[node])
        return found

    @staticmethod
    def _spread(purpose: str, sigma: float, nodes: int, seed: int) -> FloatArray:
        rng = np.random.default_rng(int(address(seed, f"clock.{purpose}")))
        return np.exp(sigma * rng.standard_normal(nodes)) if sigma else np.ones(nodes)

    def available(self, nodes: int) -> Availability:
        """When every node is there.

        Raises:
            InputError: the file cannot be read, names a node that there is not, or a time that ends before it begins.
        """
        if self.availability is None:
            return Availability(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), nodes)
        rows = list(_rows("clock.availability", self.availability, TIME_COLUMNS, nodes))
        for row in rows:
            if not row.get("start", 0.0) < row.get("stop", np.inf):
                given = f"{row.get('start')} to {row.get('stop')} of node {row['node']:.0f}"
                raise InputError("clock.availability", "have times that end after they begin", given, "Mend the line.")
        times = _joined((row["node"], row.get("start", 0.0), row.get("stop", np.inf)) for row in rows)
        node_A, start_A, stop_A = np.array(times).reshape(-1, 3).T
        return Availability(node_A.astype(np.int64), start_A, stop_A, nodes)


class Machines(NamedTuple):
    """The speed and the links of every node.

    Args:
        compute_N: seconds a sample.
        up_N: megabits a second to the coordinator.
        down_N: megabits a second from it.
        latency_N: seconds one way.
    """

    compute_N: FloatArray
    up_N: FloatArray
    down_N: FloatArray
    latency_N: FloatArray

    def seconds(self, nodes_K: IntArray, samples_K: FloatArray, down_K: IntArray, up_K: IntArray) -> FloatArray:
        """(K,) how long nodes take to hear so many bytes, work on so many samples, and send so many bytes."""
        hear_K = down_K * 8e-6 / self.down_N[nodes_K]
        say_K = up_K * 8e-6 / self.up_N[nodes_K]
        taken_K: FloatArray = hear_K + samples_K * self.compute_N[nodes_K] + say_K + 2 * self.latency_N[nodes_K]
        return taken_K


class Availability:
    """When nodes are there: times of single nodes, of which no two of a node touch; who has none is always there.

    Example:
        >>> there = Availability(np.array([1, 1]), np.array([5.0, 20.0]), np.array([10.0, 30.0]), nodes=2)
        >>> there.at(7.0).tolist(), there.at(12.0).tolist(), there.until(np.array([0, 1]), 7.0).tolist()
        ([True, True], [True, False], [inf, 10.0])
        >>> there.next(12.0)
        20.0
    """

    def __init__(self, node_A: IntArray, start_A: FloatArray, stop_A: FloatArray, nodes: int) -> None:
        self.node_A, self.start_A, self.stop_A = node_A, start_A, stop_A
        self._always = ~np.isin(np.arange(nodes), node_A)

    def at(self, now: float) -> BoolArray:
        """(N,) who is there."""
        there_N = self._always.copy()
        there_N[self.node_A[(self.start_A <= now) & (now < self.stop_A)]] = True
        return there_N

    def until(self, nodes_K: IntArray, now: float) -> FloatArray:
        """(K,) until when nodes stay that are there."""
        until_N = np.where(self._always, np.inf, now)
        open_A = (self.start_A <= now) & (now < self.stop_A)
        np.maximum.at(until_N, self.node_A[open_A], self.stop_A[open_A])
        stay_K: FloatArray = until_N[nodes_K]
        return stay_K

    def next(self, now: float) -> float:
        """When somebody comes next; infinite if nobody does."""
        return float(self.start_A[self.start_A > now].min(initial=np.inf))


def _joined(times: Iterable[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """The times (node, start, stop), sorted; those of a node that adjoin or overlap are one."""
    found: list[tuple[float, float, float]] = []
    for node, start, stop in sorted(times):
        if found and found[-1][0] == node and start <= found[-1][2]:
            _, start, before = found.pop()
            stop = max(before, stop)
        found.append((node, start, stop))
    return found


def _rows(field: str, name: str, columns: tuple[str, ...], nodes: int) -> Iterator[dict[str, float]]:
    """The lines of a CSV file, as numbers; without the cells that are empty.

    Raises:
        InputError: it cannot be read, has other columns, or names a node that there is not.
    """
    try:
        with Path(name).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if "node" not in (reader.fieldnames or ()) or not set(reader.fieldnames or ()) <= set(columns):
                given = ",".join(reader.fieldnames or ())
                raise InputError(field, f"have the columns {','.join(columns)}", given, "Mend the first line.")
            lines = [{key: cell.strip() for key, cell in line.items() if key and cell} for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(field, "name a CSV file that can be read", name, f"{error}.") from error
    for number, line in enumerate(lines, start=2):
        try:
            row = {key: float(cell) for key, cell in line.items() if cell}
            if not (row["node"].is_integer() and 0 <= row["node"] < nodes and _sound(row)):
                raise ValueError("out of bounds")
        except (ValueError, KeyError) as error:
            required = f"hold nodes 0..{nodes - 1} and numbers that are not negative in line {number}"
            raise InputError(field, required, ",".join(line.values()), "Mend the line.") from error
        yield row


def _sound(row: dict[str, float]) -> bool:
    """Whether no number is negative, and no speed 0."""
    return all(v >= 0 and not np.isnan(v) for v in row.values()) and all(row.get(n, 1) > 0 for n in NODE_COLUMNS[1:4])
