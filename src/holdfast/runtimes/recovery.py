"""The coordinator's part in recovery: who takes over whose samples when a round begins, and what nodes report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from holdfast.packet import Packet
from holdfast.parts import Log, ServerSide
from holdfast.prepare import Prepared
from holdfast.recovery import HARDEST, moved, owned
from holdfast.types import IntArray

__all__ = ["note_reports", "recover"]


def recover(run: Prepared, side: ServerSide, round: int, gone: IntArray, log: Log) -> tuple[IntArray, IntArray]:
    """Let the survivors take over the samples of who is gone, and who is back take back its own.

    Args:
        run: the variant.
        side: what the coordinator remembers; brought up to date.
        round: the round that begins.
        gone: the nodes that are gone, sorted.
        log: where events go.

    Returns:
        Which nodes get copies of samples, and of how many bytes.
    """
    before, then = run.assignment(side.lost), side.lost
    side.lost = {node: _reported(side, node) for node in gone.tolist()}
    now = run.assignment(side.lost)
    for node, (samples, receivers) in now.taken.items():
        if node not in before.taken or side.lost[node] != then[node]:
            about = {"how": run.parts.recovery.kind, "samples": samples, "receivers": receivers}
            log.event(round, "recovered", node, **about)
    for node in sorted(before.taken.keys() - side.lost.keys()):
        log.event(round, "reclaimed", node, samples=before.taken[node][0])
    counts = moved(before, now, run.data.shards) if side.lost != then else {}
    sizes = np.array(list(counts.values()), dtype=np.int64) * _sample_bytes(run)
    return np.array(list(counts), dtype=np.int64), sizes


def _reported(side: ServerSide, node: int) -> tuple[int, ...]:
    """The samples that a node reported last."""
    return tuple(s for s in side.reported_Nn[node].tolist() if s >= 0) if len(side.reported_Nn) else ()


def _sample_bytes(run: Prepared) -> int:
    """The bytes of one training sample, its target included."""
    return sum(tensor[:1].numel() * tensor.element_size() for tensor in run.data.train)


def note_reports(run: Prepared, side: ServerSide, round: int, packets: Sequence[Packet], log: Log) -> list[Packet]:
    """The packets without the samples that nodes report in them, which the coordinator keeps; see `recover`."""
    recovery, nodes = run.parts.recovery, run.experiment.nodes
    if recovery.kind != "most_representative":
        return list(packets)
    if not len(side.reported_Nn):
        side.reported_Nn = torch.full((nodes, recovery.samples), -1, dtype=torch.int32)
    for packet in sorted(packets, key=lambda packet: packet.round):
        if HARDEST in packet.payloads:
            _note(run, side, round, packet, log)
    said = [{name: load for name, load in packet.payloads.items() if name != HARDEST} for packet in packets]
    return [replace(packet, payloads=payloads) for packet, payloads in zip(packets, said, strict=True)]


def _note(run: Prepared, side: ServerSide, round: int, packet: Packet, log: Log) -> None:
    """Keep what the nodes of one packet report, but for what is not their own."""
    samples_Mn = packet.payloads[HARDEST].tensors["values"].cpu().numpy().astype(np.int64)
    known_Mn = owned(run.data.shards, packet.nodes_K, samples_Mn)
    wrong_M = (known_Mn != samples_Mn).sum(1)
    for node, wrong in zip(packet.nodes_K[wrong_M > 0].tolist(), wrong_M[wrong_M > 0].tolist(), strict=True):
        log.event(round, "dropped", node, wrong_samples=wrong)
    side.reported_Nn[packet.nodes_K] = torch.from_numpy(known_Mn).int()
