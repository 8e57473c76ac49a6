"""Finding components by name, and what an experiment file may say of them."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from holdfast.aggregators import Aggregator
from holdfast.aggregators.base import Chain as AggregatorChain
from holdfast.algorithms import PeerAlgorithm
from holdfast.attacks import Attack
from holdfast.catalogue import FAMILIES, Choice, JsonSchema, _own_component, build, catalogue, lazily
from holdfast.codecs import Codec
from holdfast.component import Component
from holdfast.errors import InputError

EVERY = [(family, name) for family in FAMILIES for name in catalogue(family)]
every = pytest.mark.parametrize(("family", "name"), EVERY, ids=lambda value: value)


def base_of(family: str) -> type[Component]:
    """The class from which all of a family derive."""
    module = importlib.import_module(FAMILIES[family] + ".base")
    named = [c for _, c in inspect.getmembers(module, inspect.isclass) if vars(c).get("family") == family]
    assert len(named) == 1
    base: type[Component] = named[0]
    return base


def default(family: str, name: str) -> Component | None:
    """The component with nothing but its name, or nothing where it says what it needs."""
    try:
        return build(base_of(family), name)
    except InputError as error:
        if error.field not in catalogue(family)[name].model_fields or error.remedy == "Correct the value.":
            raise
        return None


# ---------------------------------------------------------------- every component of every family


@every
def test_it_can_be_made_of_its_name_or_says_what_it_needs(family: str, name: str) -> None:
    component = default(family, name)
    assert component is None or component.component_name() == name


@every
def test_it_survives_an_experiment_file(family: str, name: str) -> None:
    component = default(family, name)
    if component is not None:
        mapping = json.loads(json.dumps(component.as_mapping()))
        assert mapping["name"] == name
        assert build(base_of(family), mapping) == component
        assert build(base_of(family), component) is component


@every
def test_it_describes_itself_and_its_fields(family: str, name: str) -> None:
    cls = catalogue(family)[name]
    assert issubclass(cls, base_of(family))
    assert cls.family == family
    assert len(cls.summary()) > 5
    assert all(field.description for field in cls.model_fields.values())


@every
def test_its_package_offers_it(family: str, name: str) -> None:
    cls = catalogue(family)[name]
    assert getattr(importlib.import_module(FAMILIES[family]), cls.__name__) is cls
    assert cls.__name__.lower() == name.replace("_", "")


@every
def test_a_misspelt_key_is_answered_with_the_nearest(family: str, name: str) -> None:
    fields = list(catalogue(family)[name].model_fields)
    wrong = f"{fields[0]}_" if fields else "nothing"
    with pytest.raises(InputError) as caught:
        build(base_of(family), {"name": name, wrong: 1})
    if caught.value.field == wrong:  # some say first what is missing
        assert caught.value.remedy.startswith(f"Did you mean {fields[0]!r}?" if fields else "Known: ")


@pytest.mark.parametrize("family", FAMILIES)
def test_no_two_modules_of_a_family_claim_one_name(family: str) -> None:
    package = importlib.import_module(FAMILIES[family])
    modules = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".") if not m.ispkg]
    own = [name for name in modules if _own_component(name) is not None]
    assert len(own) == len(catalogue(family)) > 0
    assert "base" not in catalogue(family)
    assert list(catalogue(family)) == sorted(catalogue(family))


# ---------------------------------------------------------------- build


def test_a_component_by_name_mapping_or_itself() -> None:
    rule = build(Aggregator, {"name": "trimmed_mean", "f": 2})
    assert build(Aggregator, rule) is rule
    assert build(Aggregator, rule.as_mapping()) == rule
    assert type(build(Aggregator, "trimmed_mean")) is type(rule)


def test_a_list_is_a_chain() -> None:
    chain = build(Codec, ["top_k", {"name": "int8"}])
    assert [stage.component_name() for stage in chain.stages] == ["top_k", "int8"]  # type: ignore[attr-defined]
    assert build(Codec, chain.as_mapping()) == chain
    assert build(Codec, ("top_k",)) == build(Codec, "top_k")
    assert isinstance(build(Aggregator, [{"name": "nnm", "f": 1}, {"name": "krum", "f": 1}]), AggregatorChain)


@pytest.mark.parametrize(
    ("base", "value", "field", "remedy"),
    [
        (Aggregator, "trimed_mean", "name", "Did you mean 'trimmed_mean'?"),
        (Aggregator, {"name": "krum", "g": 1}, "g", "Known: f"),
        (Aggregator, {"f": 1}, "name", "Known: "),
        (Aggregator, {"name": 3}, "name", "Known: "),
        (Aggregator, {"name": None}, "name", "Known: "),
        (Aggregator, 3, "", "Known aggregators: "),
        (Aggregator, None, "", "Known aggregators: "),
        (Codec, [], "", "float32"),
        (Codec, [["top_k"], "int9"], "1.name", "int8"),
        (Codec, ["int8", ["top_k", {"name": "top_k", "x": 1}]], "1.1.x", "fraction"),
        (Attack, ["alie"], "", "Known attacks: "),
        (PeerAlgorithm, "fedavg", "name", "dsgd"),
    ],
)
def test_what_stands_for_no_component(base: type[Component], value: object, field: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        build(base, value)
    assert caught.value.field == field
    assert remedy in caught.value.remedy
    if base is PeerAlgorithm:
        assert "fedavg" not in caught.value.remedy, "named one that does not fit either"


def test_there_is_no_such_family() -> None:
    with pytest.raises(InputError, match="Did you mean 'codecs'"):
        catalogue("codec")


def test_a_package_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        lazily("codecs")("Nothing")
    with pytest.raises(ImportError):
        exec("from holdfast.codecs import Nothing")


# ---------------------------------------------------------------- your own


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's, on the path."""
    name = "mine_" + re.sub(r"\W", "_", tmp_path.name)
    source = '''
        from pydantic import Field
        from holdfast.aggregators import Aggregator

        class First(Aggregator):
            """The first row."""
            scale: float = Field(1.0, gt=0, description="what it is multiplied by")

            def requires(self, f):
                return 1

            def aggregate(self, state, x_MD, weights_M=None, pivot_D=None):
                return state, self.scale * x_MD[..., 0, :]

        class Other:
            pass
    '''
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
    (tmp_path / f"{name}_broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return name


def test_a_class_of_ones_own(own: str) -> None:
    rule = build(Aggregator, f"{own}:First")
    assert rule.as_mapping() == {"name": f"{own}:First", "scale": 1.0}
    assert build(Aggregator, rule.as_mapping()) == rule
    assert build(Aggregator, {"name": f"{own}:First", "scale": 2}).scale == 2  # type: ignore[attr-defined]
    assert "First" not in str(catalogue("aggregators"))
    chain = build(Aggregator, [{"name": "nnm", "f": 1}, f"{own}:First"])
    assert build(Aggregator, chain.as_mapping()) == chain


@pytest.mark.parametrize(
    ("name", "field", "remedy"),
    [
        ("{}:Frist", "name", "AttributeError"),
        ("{}_broken:First", "name", "ZeroDivisionError"),
        ("{}_nowhere:First", "name", "PYTHONPATH"),
        ("{}:Other", "name", "holdfast.aggregators.base.Aggregator"),
        ("{}:", "name", "Known: "),
        (":First", "name", "Known: "),
        ("{}-x:First", "name", "Known: "),
        ("{}:First-x", "name", "Known: "),
    ],
)
def test_a_class_of_ones_own_that_is_none(own: str, name: str, field: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        build(Aggregator, name.format(own))
    assert caught.value.field == field
    assert remedy in caught.value.remedy


def test_the_fields_of_a_class_of_ones_own_are_checked(own: str) -> None:
    with pytest.raises(InputError) as caught:
        build(Aggregator, {"name": f"{own}:First", "scale": -1})
    assert caught.value.field == "scale"
    assert "what it is multiplied by" in caught.value.remedy


# ---------------------------------------------------------------- the JSON schema


class Says(BaseModel):
    """Holds one of each family."""

    problems: Annotated[Component, Choice(base_of("problems"))]
    models: Annotated[Component, Choice(base_of("models"))]
    partitions: Annotated[Component, Choice(base_of("partitions"))]
    topologies: Annotated[Component, Choice(base_of("topologies"))]
    algorithms: Annotated[Component, Choice(base_of("algorithms"))]
    aggregators: Annotated[Component, Choice(base_of("aggregators"))]
    attacks: Annotated[Component, Choice(base_of("attacks"))]
    codecs: Annotated[Component, Choice(base_of("codecs"))]
    triggers: Annotated[Component, Choice(base_of("triggers"))]
    faults: Annotated[Component, Choice(base_of("faults"))]


SCHEMA = Says.model_json_schema(schema_generator=JsonSchema)
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value satisfies a schema, as far as the words go that Holdfast's schemas use."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    fits = [isinstance(value, TYPES[k]) and (not isinstance(value, bool) or k == "boolean") for k in kinds]
    checks = [
        not kinds or any(fits),
        "anyOf" not in schema or any(accepts(part, value) for part in schema["anyOf"]),
        "enum" not in schema or value in schema["enum"],
        "const" not in schema or value == schema["const"],
    ]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        checks += [name in value for name in schema.get("required", [])]
        checks += [accepts(known[name], item) for name, item in value.items() if name in known]
        checks.append(schema.get("additionalProperties", True) is not False or value.keys() <= known.keys())
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        rest = schema.get("items", {})
        checks += [accepts(part, item) for part, item in zip(first, value, strict=False)]
        checks += [accepts(rest, item) for item in value[len(first) :] if isinstance(rest, dict)]
        checks += [schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))]
    if isinstance(value, str):
        checks.append(re.search(schema.get("pattern", ""), value) is not None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        checks += [value >= schema.get("minimum", value), value <= schema.get("maximum", value)]
        checks += [value > schema.get("exclusiveMinimum", value - 1), value < schema.get("exclusiveMaximum", value + 1)]
    return all(checks)


def schema_of(family: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["properties"][family]
    return found


@every
def test_the_schema_takes_what_the_loader_takes(family: str, name: str) -> None:
    component = default(family, name)
    schema = schema_of(family)
    assert accepts(schema, name)
    if component is not None:
        mapping = json.loads(json.dumps(component.as_mapping()))
        assert accepts(schema, mapping)
        assert accepts(schema, {"name": name})
    assert not accepts(schema, {"name": name, "no_such_field": 1})
    assert not accepts(schema, {"name": name + "_"})
    assert not accepts(schema, name + "_")
    assert accepts(schema, "mine:Own")
    assert accepts(schema, {"name": "mine:Own", "any": 1})


def test_jsonschema_agrees() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for family, name in EVERY:
        component = default(family, name)
        if component is not None:
            jsonschema.validate(json.loads(json.dumps(component.as_mapping())), schema_of(family))


def test_the_schema_stands_alone_and_is_json() -> None:
    text = json.dumps(SCHEMA["properties"])
    assert "$ref" not in text
    assert "$defs" not in text
    assert "description" in text


def test_the_schema_takes_chains_where_there_are_any() -> None:
    for family in FAMILIES:
        names = list(catalogue(family))[:2]
        assert accepts(schema_of(family), names) == hasattr(base_of(family), "chain")
    assert accepts(schema_of("codecs"), ["top_k", {"name": "int8"}])
    assert accepts(schema_of("codecs"), {"name": "error_feedback", "codec": ["top_k", "int8"]})
    assert not accepts(schema_of("aggregators"), {"name": "trimmed_mean", "f": -1})
    assert not accepts(schema_of("aggregators"), {"name": "trimmed_mean", "f": "two"})
