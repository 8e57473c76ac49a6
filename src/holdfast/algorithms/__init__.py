"""Training algorithms, each one page of its paper: federated (a coordinator merges) and decentralised (peers mix)."""

from holdfast.algorithms.base import Algorithm, PeerAlgorithm, ServerAlgorithm
from holdfast.catalogue import lazily

__all__ = ["Algorithm", "PeerAlgorithm", "ServerAlgorithm"]

__getattr__ = lazily("algorithms")
