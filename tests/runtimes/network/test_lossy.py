"""Best-effort links: what is lost is missing from the row, or asked for again where the rule cannot do without."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.runtimes.network.desk import CHUNKS
from holdfast.runtimes.network.identity import make_keys
from holdfast.runtimes.network.wire import DATAGRAM

from ...namespaces import Pair, lossy_pair, missing
from ...tiny import play, simulation
from .cluster import Cluster, cluster
from .gates import PATIENCE, until

FRAME = struct.Struct("<16sII")


def fields(**more: Any) -> dict[str, Any]:
    problem = {"name": "digits", "model": {"name": "mlp", "hidden": [20]}}
    algorithm = {"name": "fedavg", "local_steps": 1, "batch_size": 8}
    return {"problem": problem, "nodes": 3, "algorithm": algorithm, "network": {"link": "best_effort"}, **more}


def lose(made: Cluster, phase: str, round: int, indices: set[int]) -> list[int]:
    """Lose the first datagram with each of these numbers on its way to the coordinator; those that were lost."""
    receive, lost = made.office.post.receive, list[int]()

    def lossy(sender: str, kind: str, payload: bytes) -> None:
        if kind == CHUNKS and sender == "node-0":
            name, then, index = FRAME.unpack_from(payload)
            if (name.rstrip(b"\0").decode(), then) == (phase, round) and index in indices - set(lost):
                lost.append(index)
                return
        receive(sender, kind, payload)

    made.office.post.receive = lossy
    return lost


@pytest.mark.parametrize("codec", [None, {"name": "top_k", "fraction": 0.5}])
def test_a_rule_that_needs_whole_rows_gets_them(tmp_path: Path, codec: Any) -> None:
    expected_D = play(simulation(**fields(codec=codec, engine="sequential")), 2)[-1]
    with cluster(tmp_path, ["0", "1-2"], **fields(codec=codec, rounds=2)) as made:
        lost = lose(made, "update", 2, {0, 2})
        made.start()
        np.testing.assert_allclose(made.play(2), expected_D, rtol=1e-5, atol=1e-5)
        assert sorted(lost) == [0, 2]
        assert made.notes.of("holes") == []


def test_holes_are_missing_to_a_rule_that_takes_them_so(tmp_path: Path) -> None:
    """Of three rows the mean is then that of two, in the lost columns alone."""
    whole_D = play(simulation(**fields(aggregator={"name": "nan_mean"}, engine="sequential")), 1)[-1]
    with cluster(tmp_path, ["0", "1-2"], **fields(aggregator={"name": "nan_mean"}, rounds=1)) as made:
        lose(made, "update", 1, {1})
        made.start()
        found_D = made.play(1)
    columns = DATAGRAM // torch.float32.itemsize
    apart_D = np.abs(found_D - whole_D)[0] > 1e-6
    blocks = {int(column) // columns for column in np.flatnonzero(apart_D)}
    holes = [event.detail for event in made.notes.noted if event.kind == "holes"]
    assert apart_D[columns : 2 * columns].mean() > 0.5
    assert {detail["process"] for detail in holes} >= {"node-0"}
    # A busy machine may really lose a datagram more; one of two rows at a time touches two blocks at most.
    assert len(blocks) <= 2 * sum(detail["chunks"] for detail in holes) - 1


def datagrams(pair: Pair) -> int:
    """How many datagrams have arrived at the coordinator's end."""
    told = subprocess.run(pair.command(0, "cat", "/proc/self/net/snmp"), capture_output=True, text=True, check=True)
    values = [line.split() for line in told.stdout.splitlines() if line.startswith("Udp:")][1]
    return int(values[1])


@pytest.mark.skipif(missing() is not None, reason=f"lossy cables: {missing()}")
def test_a_tenth_of_all_packets_is_lost(tmp_path: Path) -> None:
    described = fields(rounds=10, seed=3, variants={"mean": {}, "median": {"aggregator": {"name": "median", "f": 1}}})
    described["network"] |= {"lease": 10.0}
    file, out = tmp_path / "lossy.json", tmp_path / "out"
    file.write_text(json.dumps(described))
    with lossy_pair(0) as pair:
        address = f"{pair.addresses[0]}:7447"
        make_keys(tmp_path / "keys", ["alice", "bob"], [pair.addresses[0]], {"alice": "0", "bob": "1-2"})
        command = [sys.executable, "-m", "holdfast"]
        keys = [str(tmp_path / "keys" / name) for name in ("coordinator", "alice", "bob")]
        here = [*command, "coordinate", str(file), "--out", str(out), "--address", address, "--keys", keys[0]]
        processes = [subprocess.Popen(pair.command(0, *here))]
        processes += [subprocess.Popen(pair.command(1, *command, "join", address, "--keys", k)) for k in keys[1:]]
        try:
            until(lambda: datagrams(pair) >= 4, "the handshakes of both nodes' links for datagrams")
            pair.lose(10)
            assert processes[0].wait(2 * PATIENCE) == 0
        finally:
            for process in processes:
                process.kill()
                process.wait()
    told = json.loads((out / "summary.json").read_text())["variants"]
    plain = simulation(**{**described, "variants": {}, "engine": "sequential"})
    play(plain, 10)
    assert told["mean"]["final"]["test_loss"] == pytest.approx(plain.measure(10)["test_loss"], abs=1e-4)
    assert told["median"]["events"]["holes"] > 0
    assert told["median"]["final"]["test_loss"] == pytest.approx(told["mean"]["final"]["test_loss"], abs=0.2)
