"""The coordinator of the lossy benchmark: waits for all nodes, is told to go, and tells how long its rounds took."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

from tests.tiny import Notes

from holdfast.experiment import Experiment, load
from holdfast.prepare import Preparer
from holdfast.record.recorder import Recorder
from holdfast.runtimes.network.identity import Identity
from holdfast.runtimes.network.office import Office
from holdfast.runtimes.network.post import Address
from holdfast.runtimes.network.star import RemoteStar


def main(address: str, keys: str, file: str) -> None:
    """Play all rounds, and print what came of them as a line of JSON."""
    experiment = load(Path(file))
    office = Office(experiment, Address.parse(address), Identity.load(Path(keys) / "coordinator"))
    try:
        print(json.dumps(play(experiment, office)), flush=True)
    finally:
        office.end("done")
        office.close()


def play(experiment: Experiment, office: Office) -> dict[str, Any]:
    """The seconds of each round, the accuracy at the end, and what happened."""
    prepared, notes, seconds = Preparer(rows=1).prepare(experiment), Notes(), []
    rounds = RemoteStar(prepared, cast(Recorder, notes), office, "main", threading.Event(), lambda text: None)
    rounds.ready(1)
    print("ready", flush=True)
    sys.stdin.readline()
    for round in range(1, experiment.rounds + 1):
        rounds.ready(round)
        start = time.perf_counter()
        rounds.step(round)
        seconds.append(time.perf_counter() - start)
        print(f"  {round}: {seconds[-1]:.2f} s", file=sys.stderr, flush=True)
    accuracy = rounds.measure(experiment.rounds)["test_accuracy"]
    return {"seconds": seconds, "accuracy": accuracy, "events": notes.events}


if __name__ == "__main__":
    main(*sys.argv[1:])
