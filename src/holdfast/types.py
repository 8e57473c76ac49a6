"""The legend of tensor names, and the few types that every part shares.

A tensor's name ends in its shape, one letter a dimension:

    N  nodes of the experiment          K  rows in this cohort (the nodes of one process that take part)
    M  rows in an inbox                 D  columns of a row: parameters, then buffers
    H  honest rows                      B  Byzantine rows, or samples of a batch (``x_KB...``)
    E  directed links of a graph        C  rows of one chunk

so ``x_KD`` is a matrix with one model a row, ``weights_M`` a vector with one number for each message of an inbox.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["SERVER", "BoolArray", "ExtraGradient", "FloatArray", "IntArray", "Rows", "State"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

State = dict[str, Tensor]
"""What a component remembers between rounds: named tensors; a node's state has one row for each node first."""

Rows = slice | IntArray
"""Which rows of a cohort: anything that indexes the first dimension of its tensors."""

ExtraGradient = Callable[[Tensor, Rows], Tensor]
"""``f(x_CD, rows) -> (C, D)``: the term an algorithm adds to the gradient of the rows ``rows`` of its cohort."""

SERVER = -1
"""The node number of the coordinator where a link's end is named."""
