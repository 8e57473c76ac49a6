"""Trains one model over data that stays on its nodes, and holds fast when nodes crash, lie, lag or fall silent.

Example:
    >>> from holdfast import Experiment
    >>> Experiment(problem="digits", algorithm="fedavg").nodes
    10
"""

from holdfast.tuning import tune

tune()

from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Experiment, load
from holdfast.run import Result, resume, run

__all__ = ["Experiment", "HoldfastError", "InputError", "Result", "load", "resume", "run"]
