"""Trains one model over data that stays on its nodes, and holds fast when nodes crash, lie, lag or fall silent."""

__version__ = "0.1.0"
