"""The coordinator of peers: it hands out the experiment, watches, and writes down what it is told and shown."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.codecs import Payload
from holdfast.record.wording import KINDS
from holdfast.runtimes.network.desk import Arrived, Expectation
from holdfast.runtimes.network.identity import COORDINATOR
from holdfast.runtimes.network.parcel import form_of
from holdfast.runtimes.network.remote import TICK, Remote
from holdfast.runtimes.network.robot import AHEAD, LEAD, PACE, shown_after
from holdfast.runtimes.network.wire import Go, Ready, Told
from holdfast.runtimes.rounds import TOTALS, StoppedError
from holdfast.types import FloatArray, IntArray, State

__all__ = ["Watch"]


class Watch(Remote):
    """The rounds of peers in other processes, as they tell of them; they would go on without it."""

    def set_up(self) -> None:
        """What is needed before the first round."""
        self.x_ND = self.run.parts.initial_D.repeat(self.run.experiment.nodes, 1)
        columns = self.x_ND.shape[1]
        self._form = form_of({"x": Payload({"values": torch.zeros(1, columns)}, columns)})
        self._told: dict[tuple[str, int], Told] = {}
        self._shown: dict[tuple[str, int], Arrived] = {}
        self._messages = Counter[str]()
        self._begun = False

    def models(self) -> Tensor:
        """The (N, D) models as they were last shown."""
        return self.x_ND

    def ready(self, round: int) -> None:
        """Wait until enough nodes are there and prepared, before the first round.

        Raises:
            StoppedError: the user stopped the run meanwhile.
        """
        if not self._begun:
            self._begin(round)

    @property
    def watched(self) -> IntArray:
        """Nobody: each process tells of its own nodes' outages."""
        return self.run.everyone[:0]

    def play(self, round: int) -> None:
        """Write down what each process tells of a round, and look at what it shows, once all that are there have.

        Raises:
            StoppedError: the user stopped the run meanwhile.
        """
        shows = shown_after(self.run.experiment, round)
        expected = {m.name for m in self.office.crew.present(self.office.run)}
        deadline = time.monotonic() + self.run.experiment.network.deadline
        while time.monotonic() < deadline:
            there = {name for name in expected if self.office.crew.members[name].alive}
            told = {name for name, then in self._told if then == round}
            shown = {name for name, then in self._shown if then == round}
            if told >= there and (not shows or shown >= there):
                break
            if self.stopping.is_set():
                raise StoppedError("stopped")
            self._handle(round)
        if shows:
            self._look(round)
        self._write(round)
        if shows or round % PACE == 0:
            for member in self.office.crew.present(self.office.run):
                self._go(member.name, round)

    def _look(self, round: int) -> None:
        """Take over the models after a round, and let those of later rounds come."""
        for (_, then), arrived in self._shown.items():
            if then == round:
                at = torch.tensor(arrived.manifest.nodes, dtype=torch.int64)
                self.x_ND[at] = arrived.payloads["x"].tensors["values"].to(self.x_ND)
        self._shown = {at: arrived for at, arrived in self._shown.items() if at[1] > round}
        self._expect(round)

    def _expect(self, round: int) -> None:
        """The models of the next rounds after which they are shown."""
        experiment = self.run.experiment
        ahead = range(round + 1, min(round + AHEAD * experiment.evaluate_every, experiment.rounds) + 1)
        for then in [then for then in ahead if shown_after(experiment, then)]:
            for member in self.office.crew.members.values():
                expected = Expectation(self._form, frozenset(member.rows_K.tolist()))
                self.office.desk.expect(member.name, "models", then, expected)

    def _handle(self, round: int) -> None:
        what = self.office.next(TICK)
        if isinstance(what, Told) and round <= what.round <= round + LEAD + PACE:
            self._told[what.sender, what.round] = what
        elif isinstance(what, Arrived):
            self._keep(what)
        elif isinstance(what, Ready) and self._begun:
            self._let_in(what.sender, round)

    def _keep(self, arrived: Arrived) -> None:
        """Keep what a process shows, if it shows the models of all of its nodes."""
        sender = arrived.manifest.sender
        if set(arrived.manifest.nodes) == set(self.office.crew.members[sender].rows_K.tolist()):
            self._shown[sender, arrived.manifest.round] = arrived
        else:
            self.office.desk.dropped["missing rows"] += 1

    # ------------------------------------------------------------ the beginning

    def _begin(self, round: int) -> None:
        """Wait until enough nodes are prepared, tell all of them of one another, and let them go."""
        self.office.begin(self.variant, round - 1)
        wanted = self.run.experiment.network.min_nodes or self.run.experiment.nodes
        while self.present < min(wanted, self.run.experiment.nodes):
            if self.stopping.is_set():
                raise StoppedError("too few nodes")
            self.status(f"waits for nodes: {self.note}, {wanted} needed")
            self._handle(round)
        self._begun = True
        self._expect(round - 1)
        for member in self.office.crew.present(self.office.run):
            self.office.invite(member)
        for member in self.office.crew.present(self.office.run):
            self._go(member.name, round - 1)

    def _let_in(self, name: str, round: int) -> None:
        """A node is back: the others learn of it, and it goes on where they are."""
        for member in self.office.crew.present(self.office.run):
            self.office.invite(member)
        self._expect(round - 1)
        self._go(name, self._reached(name, round))

    def _reached(self, name: str, round: int) -> int:
        """The round up to which at least half of the others have told of theirs: one alone may say anything."""
        others = [member.name for member in self.office.crew.present(self.office.run) if member.name != name]
        last = [max((then for who, then in self._told if who == other), default=round - 1) for other in others]
        return statistics.median_low(last) if last else round - 1

    def _go(self, name: str, round: int) -> None:
        self.office.say(name, Go(run=self.office.run, sender=COORDINATOR, to=name, round=round))

    # ------------------------------------------------------------ the record

    def _write(self, round: int) -> None:
        """Write down a round as the processes told it."""
        tales = [self._told.pop(at) for at in sorted(self._told) if at[1] == round]
        self._told = {at: told for at, told in self._told.items() if at[1] > round}
        losses: dict[int, float] = {}
        worked_N = np.zeros_like(self.seen_N)
        for told in tales:
            mine = set(self.office.crew.members[told.sender].rows_K.tolist())
            losses |= self._write_one(round, told, mine, worked_N)
            self.totals.update({name: told.totals.get(name, 0) for name in TOTALS})
            self._messages[told.sender] = told.totals.get("messages", 0)
        self.totals["samples"] = 0
        self._worked(round, self.run.everyone, worked_N)  # of all together, as each process has rounded its own
        self.messages = sum(self._messages.values())
        honest = [losses[node] for node in self.run.honest.tolist() if node in losses]
        if honest:
            self.log.metric(round, "train_loss", float(np.mean(honest)))
        self.office.desk.forget(round)
        self.log_dropped(round)

    def _write_one(self, round: int, told: Told, mine: set[int], worked_N: FloatArray) -> dict[int, float]:
        """Write down what one process tells of its own nodes, and on how many samples they worked; their losses."""
        losses: dict[int, float] = {}
        for name, nodes, values in told.metrics:
            if not (name in KNOWN and mine.issuperset(nodes) and _fit(name, nodes, values)):
                continue
            if name == "samples":
                worked_N[nodes] = values
            elif name == "train_loss":
                self.log.metrics(round, name, nodes, values)
                losses |= dict(zip(nodes, values, strict=True))
            else:
                self.log.metrics(round, name, nodes, np.array(values, dtype=np.int64))
        everyone = range(self.run.experiment.nodes)
        for kind, node, detail in told.events[: len(KINDS) * len(mine)]:
            if (kind in OF_OWN and node in mine) or (kind in OF_OTHERS and node in everyone):
                self.log.event(round, kind, node, **_details(detail))
        return losses

    def state(self) -> State:
        """Everything that this side knows; what the nodes remember, they keep."""
        return super().state() | {"models": self.x_ND}

    def restore(self, tensors: State) -> None:
        """Go on from a state."""
        super().restore(tensors)
        self.x_ND = tensors["models"].to(self.run.engine.device)


MOST_DETAILS = 1000
"""Characters in the details of an event."""
KNOWN = {"train_loss", *TOTALS}
"""The metrics that a process may tell of its nodes."""
MOST_COUNTED = 2**53
"""Counts from there on are refused: float64 no longer tells neighbours apart."""
OF_OWN = {"crash", "return", "straggle", "nan_loss", "lost", "skipped"}
"""The kinds of events that a process may tell of its own nodes."""
OF_OTHERS = {"late", "stale", "suspected"}
"""And of those that it hears."""


def _fit(name: str, nodes: Sequence[int], values: Sequence[float]) -> bool:
    """Whether there is one value for each node: a finite loss, or a count."""
    if len(nodes) != len(values) or len(set(nodes)) < len(nodes):
        return False
    return all(math.isfinite(v) if name == "train_loss" else 0 <= v < MOST_COUNTED for v in values)


def _details(text: str) -> dict[str, Any]:
    """What a process adds to an event: a flat mapping, or nothing."""
    try:
        found = json.loads(text) if len(text) < MOST_DETAILS else {}
    except (ValueError, RecursionError):
        return {}
    reserved = ("self", "variant", "round", "kind", "node")
    return {str(key): value for key, value in found.items() if key not in reserved} if isinstance(found, dict) else {}
