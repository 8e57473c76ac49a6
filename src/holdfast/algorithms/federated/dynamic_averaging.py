"""Averaging only when models have drifted apart."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import LocalTraining, ServerAlgorithm
from holdfast.cohort import Cohort
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.seeding import uniform
from holdfast.triggers.divergence import Divergence
from holdfast.types import BoolArray, IntArray, State

__all__ = ["DynamicAveraging"]

MORE = 2
"""How many nodes are asked at once while a set of models is not balanced."""
NOBODY = torch.zeros(0, dtype=torch.int64)


class DynamicAveraging(LocalTraining, ServerAlgorithm):
    r"""Every node keeps its own model, and speaks only when that has left the safe zone around a common reference.

    Node i trains its model f_i on, and in every b-th round reports a violation, with f_i - r, where
    :math:`\|f_i - r\|^2 > \Delta`. The coordinator counts violations v, begins with the set B of violators, and

    .. math:: \text{while } \bigl\|\tfrac{1}{|B|} \textstyle\sum_{i \in B} f_i - r\bigr\|^2 > \Delta:
        \text{ asks two more, who join } B

    then sends the mean of B to its members. Where v has reached the number of nodes, everybody is asked and v begins
    anew; where B is everybody, the mean is the new reference. So after every resolution the nodes' divergence,
    :math:`\delta(f) = \frac{1}{m} \sum_i \|f_i - \bar f\|^2`, is at most Δ, whatever the weights of the mean. m are the
    nodes that took part in the round. Who did not, or whose message was lost, gets r as its model and its reference
    when it is there again; with participation below 1 that is nearly everybody.

    The mean of all models is known only after everybody spoke. What is evaluated is the coordinator's guess: the last
    such mean, moved with every balancing towards the mean of B by its share of the nodes.

    Unless the experiment names another trigger, it is `divergence` with the Δ, b and norm given here. Any other adds to
    who speaks, or takes from it, and with it the guarantee. Squared lengths are those of parameters, without buffers.

    Source: Kamp et al. 2018, "Efficient Decentralized Deep Learning by Dynamic Model Averaging", Algorithms 1 and 2.

    Example:
        >>> DynamicAveraging(delta=0.5, check_every=2).default_trigger()
        Divergence(delta=0.5, check_every=2, norm='vector')
    """

    says: ClassVar[tuple[str, ...]] = ("drift",)
    asks: ClassVar[bool] = True

    delta: float = Field(0.001, gt=0, description="Δ, the greatest squared distance of a model from the reference")
    check_every: int = Field(1, ge=1, description="b, from one check of the nodes to the next, in rounds")
    norm: Literal["vector", "max_tensor"] = Field(
        "vector", description="whose squared length counts: the whole vector's, or the greatest of any one tensor"
    )
    resolve: Literal["full", "balance", "hedge"] = Field(
        "balance",
        description="whom a violation involves: everybody; ever more, until their mean is in the zone; or ever more, "
        "and everybody once half of the nodes are in",
    )
    choose: Literal["random", "nearest", "farthest"] = Field(
        "random", description="who is asked first: anybody, or who was last known nearest to or farthest from r"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="the seed of the order of asking")

    def default_trigger(self) -> Divergence:
        """The nodes' condition."""
        return Divergence(delta=self.delta, check_every=self.check_every, norm=self.norm)

    # ------------------------------------------------------------ the nodes

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """Each node's own model, and its copy of the reference."""
        return {"x": x_KD, "reference": x_KD}

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """Take over the mean or the reference where they were sent, train, and say how far from the reference."""
        x_KD, reference_KD = node["x"], node["reference"]
        balanced_K1, anew_K1 = (message.got(c).to(x_KD.device).unsqueeze(1) for c in ("x", "reference"))
        reference_KD = torch.where(anew_K1, message["reference"], reference_KD)
        start_KD = torch.where(anew_K1, reference_KD, torch.where(balanced_K1, message["x"], x_KD))
        y_KD, losses_K = self.train(cohort, start_KD)
        said = Message({"drift": y_KD - reference_KD}, cohort.samples(), losses_K)
        return {"x": y_KD, "reference": reference_KD}, said

    def watched(self, node: State, said: Message, heard: Message) -> tuple[Tensor, Tensor]:
        """The own models and references."""
        return node["x"], node["reference"]

    def personal(self, node: State, x_KD: Tensor) -> Tensor:
        """The own models."""
        return node["x"]

    # ------------------------------------------------------------ the coordinator

    def start(self, x_D: Tensor, layout: Layout) -> State:
        """The model to evaluate, r, v, the last B with its mean, who holds r, and how far away models last were."""
        sizes = [prod(layout.shapes[name]) for name in layout.parameter_names]
        return {
            "x": x_D,
            "reference": x_D,
            "mean": x_D,
            "members": NOBODY,
            "holders": NOBODY,
            "violations": torch.tensor(0),
            "squares": torch.zeros(0),
            "sizes": torch.tensor(sizes, dtype=torch.int64),
            "round": torch.tensor(0),
        }

    def broadcast(self, server: State) -> Message:
        """The mean for the last B, and the reference for who does not hold it."""
        return Message({"x": server["mean"], "reference": server["reference"]})

    def recipients(self, server: State, channel: str, nodes_K: IntArray) -> BoolArray:
        """(K,) who does not hold the reference is sent that, the last B, who do, its mean, and all others nothing."""
        if channel == "reference":
            return ~np.isin(nodes_K, server["holders"].cpu().numpy())
        return np.isin(nodes_K, server["members"].cpu().numpy())

    def ask(self, server: State, inbox: ServerInbox) -> IntArray:
        """All of the silent or the next of them, until the mean of those who spoke is in the zone."""
        if not len(inbox.nodes_M):
            return inbox.nodes_M
        nodes = len(_there(inbox))
        if self.resolve == "full" or self._violations(server, inbox) >= nodes:
            return inbox.silent_L
        drift_D = inbox.combined.get("drift")  # nothing where the rule needs more rows
        if drift_D is not None and not self._outside(server, inbox, drift_D.unsqueeze(0)):
            return inbox.silent_L[:0]
        if self.resolve == "hedge" and 2 * (nodes - len(inbox.silent_L)) >= nodes:
            return inbox.silent_L
        return self._next(server, inbox)

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """The mean, for the members of B; where B is everybody, as the new reference."""
        drift_D, there = inbox.combined["drift"], _there(inbox)
        mean_D, violations = server["reference"] + drift_D, self._violations(server, inbox)
        after = self.skip(server, inbox) | {"violations": torch.tensor(violations if violations < len(there) else 0)}
        if not len(inbox.silent_L):
            nothing = torch.zeros_like(after["squares"])
            return after | {"x": mean_D, "reference": mean_D, "holders": NOBODY, "squares": nothing}
        members = torch.from_numpy(np.setdiff1d(there, inbox.silent_L))
        squares = after["squares"].clone()
        squares[members] = self._zone(server).squares(drift_D[: inbox.parameters].unsqueeze(0)).to(squares)
        x_D = server["x"] + len(members) / len(there) * (mean_D - server["x"])
        return after | {"x": x_D, "mean": mean_D, "members": members, "squares": squares}

    def forget(self, server: State, nodes: IntArray) -> State:
        """Such nodes are sent the reference again."""
        holders = server["holders"]
        return {**server, "holders": holders[~torch.isin(holders, torch.from_numpy(nodes).to(holders))]}

    def skip(self, server: State, inbox: ServerInbox) -> State:
        """Who took part holds the reference, and is where it was; all others will begin from it again."""
        holders = torch.from_numpy(_there(inbox))
        known = self._known(server, inbox.population)
        squares = torch.zeros_like(known).index_put((holders,), known[holders])
        about = {"members": NOBODY, "holders": holders, "squares": squares}
        return {**server, **about, "round": server["round"] + 1}

    def _zone(self, server: State) -> Divergence:
        """The nodes' condition, which knows which columns are which tensor."""
        return self.default_trigger().fitted([(size,) for size in server["sizes"].tolist()])

    def _outside(self, server: State, inbox: ServerInbox, drift_MD: Tensor) -> int:
        """How many of the rows are outside the zone."""
        return int(self._zone(server).outside(drift_MD[:, : inbox.parameters]).sum())

    def _violations(self, server: State, inbox: ServerInbox) -> int:
        """v, with those of this round."""
        return int(server["violations"]) + self._outside(server, inbox, inbox.channels["drift"])

    def _known(self, server: State, nodes: int) -> Tensor:
        """(N,) the squared distance from r at which each model last was; 0 before anything is known of it."""
        known = server["squares"].cpu()
        return torch.nn.functional.pad(known, (0, nodes - len(known)))

    def _next(self, server: State, inbox: ServerInbox) -> IntArray:
        """The silent who are asked next."""
        silent_L = inbox.silent_L
        known_L = self._known(server, inbox.population).numpy()[silent_L]
        first_L = {"random": 0 * known_L, "nearest": known_L, "farthest": -known_L}[self.choose]
        lots_L = uniform(self.seed, "balancing", int(server["round"]), silent_L)
        return silent_L[np.lexsort((lots_L, first_L))[:MORE]]


def _there(inbox: ServerInbox) -> IntArray:
    """Who took part in the round, sorted."""
    return np.union1d(inbox.nodes_M[inbox.staleness_M == 0], inbox.silent_L)
