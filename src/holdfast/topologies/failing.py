"""A graph whose links fail now and then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, ClassVar

import networkx as nx
import numpy as np
from pydantic import Field
from scipy import sparse

from holdfast.catalogue import Choice, build
from holdfast.seeding import uniform
from holdfast.topologies.base import Topology
from holdfast.types import FloatArray

__all__ = ["Failing"]


class Failing(Topology):
    """Another topology in which each edge fails with probability p, in each round independently.

    The edge i, j is missing in round t where u(seed, t, i, j) < p, with u uniform in [0, 1). An undirected edge fails
    both ways at once. Both ends know of it: the weights are those of what is left, so that a symmetric W stays
    symmetric and doubly stochastic; of a directed graph only the rows are sure to sum to 1. (Messages that are lost
    unknown to the sender are the fault `drop`.)

    Example:
        >>> graph = Failing(topology="complete", p=0.2).graph(1, 50, seed=1)
        >>> 900 < graph.number_of_edges() < 1060
        True
    """

    changes: ClassVar[bool] = True

    topology: Annotated[Topology, Choice(Topology)] = Field(
        default_factory=partial(build, Topology, "cycle"), description="whose edges fail"
    )
    p: float = Field(0.1, ge=0, lt=1, description="how likely an edge fails in a round, as a probability")

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The edges that work in the round."""
        graph = self.topology.graph(round, nodes, seed).copy()
        ends_E2 = np.array(list(graph.edges), dtype=np.int64).reshape(-1, 2)
        # An undirected edge has one address, whichever of its ends is named first.
        first, second = (ends_E2 if graph.is_directed() else np.sort(ends_E2, axis=1)).T
        fails_E = uniform(seed, "topology.failing", round, first, second) < self.p
        graph.remove_edges_from(ends_E2[fails_E].tolist())
        return graph

    def placed(self, places: Callable[[int], FloatArray]) -> Topology:
        """The same edges failing, of the other topology around the robots."""
        return self.model_copy(update={"topology": self.topology.placed(places)})

    def weights(self, graph: nx.Graph) -> sparse.csr_array:
        """The weights that the other topology gives to what is left."""
        return self.topology.weights(graph)
