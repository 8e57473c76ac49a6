"""Finds components by the name of their module, and turns what an experiment file says into components.

There is no list of components anywhere: a new module in a family's package is in the catalogue, and so in the YAML
loader, `holdfast list`, the JSON schema, the contract tests and the documentation.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from holdfast.component import Component
from holdfast.errors import InputError, nearest

__all__ = ["FAMILIES", "OWN_CLASS", "Choice", "JsonSchema", "build", "catalogue", "lazily"]

FAMILIES = {
    "problems": "holdfast.problems",
    "models": "holdfast.models",
    "partitions": "holdfast.partitions",
    "topologies": "holdfast.topologies",
    "algorithms": "holdfast.algorithms",
    "aggregators": "holdfast.aggregators",
    "attacks": "holdfast.attacks",
    "codecs": "holdfast.codecs",
    "triggers": "holdfast.triggers",
    "faults": "holdfast.faults",
}
"""Each family and its package."""
OWN_CLASS = re.compile(r"[\w.]+:\w+")
"""How a class of one's own is named; a node looks for just these in what a coordinator describes."""

C = TypeVar("C", bound=Component)


def _own_component(name: str) -> type[Component] | None:
    """The public component that the module defines under its own name, if there is one."""
    module = importlib.import_module(name)
    stem = name.rpartition(".")[2].replace("_", "")
    for _, member in inspect.getmembers(module, inspect.isclass):
        if member.__module__ == name and issubclass(member, Component) and member.__name__.lower() == stem:
            return member
    return None


@cache
def catalogue(family: str) -> dict[str, type[Component]]:
    """Every component of a family by name: the class whose name is its module's, without underscores.

    Args:
        family: one of `FAMILIES`.

    Raises:
        InputError: there is no such family.

    Example:
        >>> catalogue("aggregators")["trimmed_mean"].__name__
        'TrimmedMean'
    """
    if family not in FAMILIES:
        raise InputError("family", "be a known family", family, nearest(family, FAMILIES))
    package = importlib.import_module(FAMILIES[family])
    walk = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    found = {m.name.rpartition(".")[2]: _own_component(m.name) for m in walk if not m.ispkg}
    return {name: cls for name, cls in sorted(found.items()) if cls is not None}


def lazily(family: str) -> Callable[[str], type[Component]]:
    """The ``__getattr__`` by which a family's package offers its classes without listing them.

    Example:
        >>> from holdfast.aggregators import TrimmedMean
        >>> TrimmedMean(f=1)
        TrimmedMean(f=1)
    """

    def find(attribute: str) -> type[Component]:
        if not attribute.startswith("_"):
            for cls in catalogue(family).values():
                if cls.__name__ == attribute:
                    return cls
        raise AttributeError(f"module {FAMILIES[family]!r} has no attribute {attribute!r}")

    return find


def _import_class(name: str, base: type[C]) -> type[C]:
    module_name, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # whatever a user's module raises on import is the user's to mend
        reason = f"{type(error).__name__}: {error}"
        remedy = f"Importing it failed with {reason}. Put {module_name}.py beside the experiment file or on PYTHONPATH."
        raise InputError("name", "name a class that imports", name, remedy) from error
    found = (base.adopt(found) or found) if isinstance(found, type) else found
    if not (isinstance(found, type) and issubclass(found, base)):
        remedy = f"Derive {class_name} from {base.__module__}.{base.__name__}."
        raise InputError("name", f"name a subclass of {base.__name__}", name, remedy)
    return found


def _lookup(family: str, name: object, base: type[C]) -> type[C]:
    if isinstance(name, str) and OWN_CLASS.fullmatch(name):
        return _import_class(name, base)
    known = catalogue(family)
    if not isinstance(name, str) or name not in known:
        raise InputError("name", f"be one of the {family}", name, nearest(str(name), known))
    found = known[name]
    if not issubclass(found, base):
        allowed = [n for n, cls in known.items() if issubclass(cls, base)]
        raise InputError("name", f"be a {base.__name__}", name, nearest(name, allowed))
    return found


def build(base: type[C], value: object) -> C:
    """The component that a value of an experiment file stands for.

    Args:
        base: the family's base class, such as `Aggregator`.
        value: a component, a name, a mapping with ``name`` and hyperparameters, or (where the family has a
            `chain`) a list of those, applied in order.

    Raises:
        InputError: no such component or hyperparameter.

    Example:
        >>> from holdfast.aggregators import Aggregator
        >>> build(Aggregator, {"name": "trimmed_mean", "f": 4})
        TrimmedMean(f=4)
    """
    if isinstance(value, base):
        return value
    if isinstance(value, str):
        return _lookup(base.family, value, base)()
    if isinstance(value, Mapping):
        if "name" not in value:
            raise InputError("name", "be given", dict(value), f"Known: {', '.join(catalogue(base.family))}.")
        fields = {str(key): item for key, item in value.items() if key != "name"}
        return _lookup(base.family, value["name"], base)(**fields)
    chain = getattr(base, "chain", None)
    if isinstance(value, Sequence) and chain is not None:
        return chain([_stage(base, number, item) for number, item in enumerate(value)])  # type: ignore[no-any-return]
    remedy = f"Known {base.family}: {', '.join(catalogue(base.family))}."
    raise InputError("", "be a name, or a mapping with name and hyperparameters", value, remedy)


def _stage(base: type[C], number: int, value: object) -> C:
    """The component at a place of a list, which an error names."""
    try:
        return build(base, value)
    except InputError as error:
        raise error.within(str(number)) from error.__cause__


class Choice:
    """Marks a pydantic field as a component of a family: ``Annotated[Aggregator, Choice(Aggregator)]``."""

    def __init__(self, base: type[Component]) -> None:
        self.base = base

    def known(self) -> list[str]:
        """The names of the components."""
        return list(catalogue(self.base.family))

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def validate(value: object, info: core_schema.ValidationInfo) -> Component:
            try:
                return build(self.base, value)
            except InputError as error:
                raise error.within(info.field_name) from error.__cause__

        return core_schema.with_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda component: component.as_mapping()),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        open_families = _OPEN.get()
        if self.base.family in open_families:  # a codec within a codec: say no more than that it is one
            return {"type": ["string", "object", "array"], "description": f"one of the {self.base.family}"}
        token = _OPEN.set(open_families | {self.base.family})
        try:
            known = {n: c for n, c in catalogue(self.base.family).items() if issubclass(c, self.base)}
            one = {"anyOf": [{"enum": list(known)}, *(_mapping_schema(n, c) for n, c in known.items()), _OWN]}
        finally:
            _OPEN.reset(token)
        return {"anyOf": [one, {"type": "array", "items": one}]} if hasattr(self.base, "chain") else one


_OPEN: ContextVar[frozenset[str]] = ContextVar("families whose schema is being written", default=frozenset())
_OWN_NAME = {"type": "string", "pattern": f"^{OWN_CLASS.pattern}$", "description": "your own class, as module:Class"}
_OWN = {"anyOf": [_OWN_NAME, {"type": "object", "properties": {"name": _OWN_NAME}, "required": ["name"]}]}


class JsonSchema(GenerateJsonSchema):
    """JSON schemas in which a default that is a component reads as an experiment file would write it."""

    def encode_default(self, dft: Any) -> Any:
        """The default as plain values."""
        return dft.as_mapping() if isinstance(dft, Component) else super().encode_default(dft)


def _mapping_schema(name: str, cls: type[Component]) -> dict[str, Any]:
    """The JSON schema of ``{name: …, hyperparameters}``, with nothing defined elsewhere."""
    schema = cls.model_json_schema(schema_generator=JsonSchema)
    schema = _inlined(schema, schema.pop("$defs", {}))
    schema["properties"] = {"name": {"const": name}, **schema.get("properties", {})}
    schema["required"] = ["name", *schema.get("required", [])]
    return {**schema, "title": name, "description": cls.summary()}


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with every reference replaced by what it refers to."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return {key: _inlined(value, definitions) for key, value in schema.items()}
