"""One row at a time, by ordinary autograd: slow, plain, and it names the node and the stage when something fails."""

from __future__ import annotations

import numpy as np

from holdfast.cohort import Cohort
from holdfast.runtimes.simulation import Simulation

__all__ = ["Debug"]


class Debug(Simulation):
    """The simulation with every node as a host of its own, so that nothing is batched over nodes.

    It is the oracle of `Simulation`: the same rounds, to float32's precision.
    """

    def hosts(self, cohort: Cohort) -> list[Cohort]:
        """Each node alone."""
        return [cohort.rows(np.array([row])) for row in range(len(cohort))]
