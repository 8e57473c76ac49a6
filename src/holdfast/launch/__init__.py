"""Starts runs over real processes: a coordinator, a node, or everything on this machine."""
