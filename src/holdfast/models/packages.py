"""Models of packages that Holdfast does not install by itself."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from holdfast.errors import InputError, nearest

__all__ = ["check_architecture", "imported"]


def imported(package: str) -> Any:
    """The package.

    Args:
        package: its name, which is the name of the extra that installs it too.

    Raises:
        InputError: it is not installed.

    Example:
        >>> imported("no_such_package")
        Traceback (most recent call last):
        holdfast.errors.InputError: problem.model must be of a package that is installed, but 'no_such_package' was \
given. Install it with: pip install 'holdfast[no_such_package]'.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        remedy = f"Install it with: pip install 'holdfast[{package}]'."
        raise InputError("problem.model", "be of a package that is installed", package, remedy) from error


def check_architecture(name: str, known: Iterable[str], input_shape: tuple[int, ...]) -> None:
    """Refuse an architecture that the package does not have, and inputs that are no images.

    Raises:
        InputError: it is one of these.
    """
    names = list(known)
    if name not in names:
        raise InputError("problem.model.architecture", "be one that the package has", name, nearest(name, names))
    if len(input_shape) != 3 or min(input_shape) < 1:
        remedy = "Shape the images so, or use a model for flat inputs, such as mlp."
        raise InputError("problem.model", "take inputs (channels, height, width)", input_shape, remedy)
