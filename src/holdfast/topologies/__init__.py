"""Who talks to whom: graphs and their mixing weights."""

from holdfast.catalogue import lazily
from holdfast.topologies.base import Topology, Undirected, Weighted

__all__ = ["Topology", "Undirected", "Weighted"]

__getattr__ = lazily("topologies")
