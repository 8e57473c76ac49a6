"""Trains one model over data that stays on its nodes, and holds fast when nodes crash, lie, lag or fall silent.

Example:
    >>> from holdfast import Experiment
    >>> Experiment(problem="digits", algorithm="fedavg").nodes
    10
"""

import os

# Threads of OpenMP that wait by spinning make each other wait wherever a machine is shared: a round then takes ten times
# as long. They read this once, when torch is first imported; a value of the user's own stands.
os.environ.setdefault("GOMP_SPINCOUNT", "100")

from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Experiment, load
from holdfast.run import Result, resume, run

__all__ = ["Experiment", "HoldfastError", "InputError", "Result", "load", "resume", "run"]
