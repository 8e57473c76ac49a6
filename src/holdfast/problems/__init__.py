"""What is learned: data, a model, a loss and metrics."""

from holdfast.catalogue import lazily
from holdfast.problems.base import Problem, Task

__all__ = ["Problem", "Task"]

__getattr__ = lazily("problems")
