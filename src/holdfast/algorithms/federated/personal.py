"""Federated averaging in which some layers never leave the node: what FedPer and FedBN share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import ClassVar

import torch
from torch import Tensor

from holdfast.algorithms.base import LocalTraining, ServerAlgorithm
from holdfast.cohort import Cohort
from holdfast.errors import InputError, nearest
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.types import State

__all__ = ["PersonalLayers", "layer_of", "matching"]


class PersonalLayers(LocalTraining, ServerAlgorithm):
    r"""Federated averaging of the layers that are shared, while each node keeps the others to itself.

    .. math:: x \leftarrow x + \sum_i \frac{n_i}{\sum_j n_j} (y_i - x)

    in the shared columns alone: only they travel, in either direction.
    """

    says: ClassVar[tuple[str, ...]] = ("update",)

    @abstractmethod
    def own_layers(self, layout: Layout) -> set[str]:
        """The names of the layers that stay on the nodes.

        Raises:
            InputError: there is no such layer.
        """

    def stays(self, layout: Layout) -> Tensor:
        """(D,) which columns stay on the nodes.

        Raises:
            InputError: there is no such layer, or nothing would be shared.
        """
        own = self.own_layers(layout)
        columns = {name: torch.full(shape, layer_of(name) in own) for name, shape in layout.shapes.items()}
        stays_D = torch.cat([column.flatten() for column in columns.values()])
        if bool(stays_D.all()):
            remedy = "Name fewer, or use a deeper network."
            raise InputError("algorithm.layers", "leave some layer to share", ", ".join(sorted(own)), remedy)
        return stays_D

    def widths(self, layout: Layout) -> dict[str, int]:
        """The shared columns."""
        return {"update": int((~self.stays(layout)).sum())}

    def start(self, x_D: Tensor, layout: Layout) -> State:
        """The whole model, of which only the shared columns ever move, and which those are."""
        return {"x": x_D, "shared": (~self.stays(layout)).nonzero().flatten().to(x_D.device)}

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """Each node's own columns, and which those are."""
        own = self.stays(cohort.engine.layout).nonzero().flatten().to(x_KD.device)
        return {"own": x_KD[:, own], "columns": own.repeat(len(x_KD), 1)}

    def broadcast(self, server: State) -> Message:
        """The shared columns of the model."""
        return Message({"x": server["x"][server["shared"]]})

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """Train the broadcast and the own columns together, and say how far the shared ones went."""
        y_KD, losses_K = self.train(cohort, _whole(message["x"], node))
        stays_D = self.stays(cohort.engine.layout).to(y_KD.device)
        said = Message({"update": y_KD[:, ~stays_D] - message["x"]}, cohort.samples(), losses_K)
        return {**node, "own": y_KD[:, stays_D]}, said

    def watched(self, node: State, said: Message, heard: Message) -> tuple[Tensor, Tensor]:
        """The broadcast moved by each node's update, and the broadcast; with the same own columns in both."""
        return _whole(heard["x"] + said["update"], node), _whole(heard["x"], node)

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Move the shared columns by the combined update."""
        x_D = server["x"].index_add(0, server["shared"], inbox.combined["update"])
        return {**server, "x": x_D}

    def personal(self, node: State, x_KD: Tensor) -> Tensor:
        """The coordinator's shared columns and the node's own."""
        return x_KD.scatter(1, node["columns"], node["own"])


def _whole(shared_KS: Tensor, node: State) -> Tensor:
    """(K, D) the shared columns and each node's own, every one in its place."""
    own_KP = node["own"]
    shared_D = shared_KS.new_ones(shared_KS.shape[1] + own_KP.shape[1], dtype=torch.bool)
    shared_D[node["columns"][0]] = False
    x_KD = shared_KS.new_empty(len(shared_KS), len(shared_D))
    x_KD[:, shared_D], x_KD[:, ~shared_D] = shared_KS, own_KP
    return x_KD


def layer_of(tensor: str) -> str:
    """The layer that a parameter or buffer belongs to.

    Example:
        >>> layer_of("blocks.0.norm.weight"), layer_of("weight")
        ('blocks.0.norm', '')
    """
    return tensor.rpartition(".")[0]


def matching(patterns: Iterable[str], layout: Layout) -> set[str]:
    """The layers whose names match a pattern.

    Raises:
        InputError: a pattern matches none.

    Example:
        >>> layout = Layout.of(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1)))
        >>> matching(["2"], layout)
        {'2'}
    """
    layers, found = {layer_of(name) for name in layout.shapes}, set[str]()
    for pattern in patterns:
        here = {layer for layer in layers if fnmatchcase(layer, pattern)}
        if not here:
            raise InputError("algorithm.layers", "name layers of the network", pattern, nearest(pattern, layers))
        found |= here
    return found
