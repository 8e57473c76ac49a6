"""What every runtime shares."""

from __future__ import annotations

import numpy as np
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.packet import Packet

from ..tiny import line, notes, simulation


def test_what_is_too_old_or_of_a_round_to_come_is_late() -> None:
    sim = simulation(algorithm=FedAvg(max_staleness=2), **line(2.0, 4.0))
    packets = [Packet(round, np.array([0]), {}, torch.ones(1), torch.ones(1)) for round in (2, 3, 5, 6)]
    assert [packet.round for packet in sim._young(5, packets)] == [3, 5]
    told = [(event.kind, event.detail["staleness"]) for event in notes(sim).noted]
    assert told == [("late", 3), ("stale", 2), ("late", -1)]
