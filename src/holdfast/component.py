"""What every component is: a frozen, checked set of hyperparameters with a name, and no state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Self, get_args, runtime_checkable

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from holdfast.errors import InputError, nearest

__all__ = ["Component", "Settings", "Shaped", "as_input_error"]


class Component(BaseModel):
    """A frozen pydantic model whose fields are hyperparameters, each with a default, a unit and a bound.

    A component in a Holdfast family is named after its module (`holdfast/aggregators/trimmed_mean.py` is
    ``trimmed_mean``); a component of yours is named ``module:Class``. What a component remembers is a
    `State` that is handed to it and that it hands back.

    Raises:
        InputError: a hyperparameter is unknown, of the wrong type or out of bounds.

    Example:
        >>> from pydantic import Field
        >>> class Shrink(Component):
        ...     factor: float = Field(0.5, gt=0, le=1, description="what is left of each value")
        >>> Shrink(factor=0.1)
        Shrink(factor=0.1)
        >>> Shrink(faktor=0.1)
        Traceback (most recent call last):
        holdfast.errors.InputError: faktor must be a known key, but 'faktor' was given. \
Did you mean 'factor'? Known: factor.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True, allow_inf_nan=False
    )
    family: ClassVar[str] = ""

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise as_input_error(error, type(self)) from None

    @classmethod
    def component_name(cls) -> str:
        """The name by which an experiment file calls this class."""
        package, _, module = cls.__module__.rpartition(".")
        return module if package.startswith("holdfast.") else f"{cls.__module__}:{cls.__qualname__}"

    @classmethod
    def adopt(cls, found: type) -> type[Self] | None:
        """The component that a class which is none stands for, as the model of a plain network; none by default."""
        return None

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]

    def as_mapping(self) -> dict[str, Any]:
        """The mapping that an experiment file would hold: the name and every hyperparameter."""
        return {"name": self.component_name(), **self.model_dump(mode="json")}


class Shaped(Component):
    """A component that can do better once it knows the tensors of which a row consists, one after the other."""

    _shapes: tuple[tuple[int, ...], ...] = PrivateAttr(())

    def fitted(self, shapes: Sequence[tuple[int, ...]]) -> Self:
        """The same for rows that hold tensors of these shapes."""
        made = self.model_copy()
        made._shapes = tuple(shapes)
        return made


class Settings(BaseModel):
    """A part of a component or an experiment that has no name of its own, such as its optimiser or its network.

    Raises:
        InputError: something is wrong, said of the field that holds it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def examine(self) -> None:
        """Refuse what the types of the single fields cannot tell; nothing by default.

        Raises:
            InputError: fields do not fit together.
        """

    @model_validator(mode="wrap")
    @classmethod
    def _name_field(cls, value: Any, check: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        field = info.field_name or cls.__name__.lower()
        try:
            made = check(value)
            made.examine()
            return made
        except ValidationError as error:
            raise as_input_error(error, cls).within(field) from None
        except InputError as error:
            raise error.within(field) from error.__cause__


@runtime_checkable
class Known(Protocol):
    """What marks a field whose values have names."""

    def known(self) -> Sequence[str]:
        """The names."""


_WORDS = {
    "missing": "be given",
    "tuple_type": "be a list",
    "string_pattern_mismatch": "match the pattern {pattern}",
    "int_parsing": "be an integer",
    "int_from_float": "be an integer",
    "float_parsing": "be a number",
    "bool_parsing": "be true or false",
}
"""Plainer words for some of pydantic's complaints, which follow "must"."""


def _required(detail: Any) -> str:
    """What is required, as the end of the sentence "it must …"."""
    if detail["type"] in _WORDS:
        return _WORDS[detail["type"]].format(**detail.get("ctx", {}))
    message: str = detail["msg"][0].lower() + detail["msg"][1:]
    message = message.removeprefix("value error, ").removeprefix("input should ")
    return message if message.startswith(("be ", "have ", "match ")) else f"be valid ({message})"


def _remedy(name: str, model: type[BaseModel]) -> str:
    field = model.model_fields.get(name)
    if field is None or not field.description:
        return "Correct the value."
    if field.is_required():
        known = [word for mark in field.metadata if isinstance(mark, Known) for word in mark.known()]
        return f"It says {field.description}{': ' + ', '.join(known) if known else ''}."
    return f"It says {field.description}; left out, it is {field.get_default(call_default_factory=True)!r}."


def as_input_error(error: ValidationError, model: type[BaseModel]) -> InputError:
    """The first complaint of pydantic, as one paragraph with a remedy."""
    detail: Any = error.errors()[0]
    location = [str(part) for part in detail["loc"]]
    owner, path = _owner(model, location), ".".join(location)
    if detail["type"] == "extra_forbidden":
        return InputError(path, "be a known key", location[-1], nearest(location[-1], owner.model_fields))
    given = None if detail["type"] == "missing" else detail["input"]
    return InputError(path, _required(detail), given, _remedy(location[0] if location else "", model))


def _owner(model: type[BaseModel], location: list[str]) -> type[BaseModel]:
    """The nested model that refused the last key of the location."""
    for part in location[:-1]:
        field = model.model_fields.get(part)
        nested = [t for t in (field.annotation, *get_args(field.annotation)) if isinstance(t, type)] if field else []
        model = next((t for t in nested if issubclass(t, BaseModel)), model)
    return model
