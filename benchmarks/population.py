"""Memory and round time of a million virtual nodes, of which a hundred are asked a round, against a thousand."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ASKED = 100
LIMIT_GIB, LIMIT_RATIO = 2.0, 1.2


def measure(nodes: int, rounds: int) -> dict[str, float]:
    """Seconds a round and the peak memory of this process, in GiB."""
    from holdfast import Experiment
    from holdfast.prepare import Preparer
    from holdfast.record.recorder import Recorder
    from holdfast.runtimes.simulation import Simulation

    experiment = Experiment(
        problem={"name": "digits", "model": "mlp"},
        partition={"name": "resample", "samples": 600},
        nodes=nodes,
        participation=ASKED / nodes,
        algorithm={"name": "fedavg", "batch_size": 32},
        attack={"name": "sign_flip", "nodes": nodes // 100},
        aggregator={"name": "trimmed_mean", "f": 10},
        faults=[{"name": "drop", "probability": 0.1}],
        rounds=rounds,
        engine="stacked",
        chunk_rows=ASKED,
    )
    started = time.perf_counter()
    prepared = Preparer().prepare(experiment)
    ready = time.perf_counter() - started
    seconds = []
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder), "main") as log:
        simulation = Simulation(prepared, log)
        for round in range(1, rounds + 1):
            start = time.perf_counter()
            simulation.step(round)
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"nodes": nodes, "seconds_to_prepare": ready, "seconds_per_round": median(seconds[1:]), "peak_gib": peak}


def alone(nodes: int, rounds: int) -> dict[str, float]:
    """The same in a process of its own, so that memory is that run's alone."""
    command = [sys.executable, __file__, "--nodes", str(nodes), "--rounds", str(rounds)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    """Print the table and whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, help="measure this population alone and print JSON")
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    if options.nodes:
        print(json.dumps(measure(options.nodes, options.rounds)))
        return
    found = [alone(nodes, options.rounds) for nodes in (1_000, 1_000_000, 1_000, 1_000_000)]
    for row in found:
        print(
            f"{row['nodes']:>9,} nodes: {row['seconds_per_round'] * 1000:7.1f} ms a round, prepared in "
            f"{row['seconds_to_prepare']:.1f} s, peak {row['peak_gib']:.2f} GiB"
        )
    small, large = (
        min(row["seconds_per_round"] for row in found if row["nodes"] == nodes) for nodes in (1_000, 1_000_000)
    )
    peak = max(row["peak_gib"] for row in found)
    print(f"round time {large / small:.2f} times that of 1,000 nodes (at most {LIMIT_RATIO})")
    print(f"peak memory {peak:.2f} GiB (under {LIMIT_GIB})")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "population.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
