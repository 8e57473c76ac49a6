"""An experiment: one frozen, checked description of everything that decides the numbers of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from holdfast.aggregators import Aggregator, PreAggregator
from holdfast.algorithms import Algorithm, PeerAlgorithm, ServerAlgorithm
from holdfast.attacks import Attack
from holdfast.attacks.each import ToEach
from holdfast.catalogue import Choice, build
from holdfast.clock import VirtualClock
from holdfast.codecs import Codec
from holdfast.component import Component, as_input_error
from holdfast.due import NEVER
from holdfast.errors import InputError
from holdfast.faults import Fault
from holdfast.mapping import assign, read
from holdfast.network import Network
from holdfast.partitions import Partition
from holdfast.problems import Problem
from holdfast.recovery import Recovery, by_kind
from holdfast.topologies import Topology
from holdfast.triggers import Trigger

__all__ = ["Experiment", "load"]

SOLE_VARIANT = "main"

C = TypeVar("C", bound=Component)

_Every = Annotated[
    int,
    BeforeValidator(lambda every: NEVER if every is None else every, json_schema_input_type=int | None),
    PlainSerializer(lambda every: None if every == NEVER else every),
]
"""A number of rounds; null in a file is `NEVER` in Python, so that no reader of the field needs a case of its own."""
_Period = Annotated[float, Field(gt=0)]


def _built(base: type[C], fields: Mapping[str, Any], name: str) -> C:
    """The component that a field stands for."""
    try:
        return build(base, fields[name])
    except InputError as error:
        raise error.within(name) from error.__cause__


class Experiment(BaseModel):
    """Everything that decides the numbers of a run; saved, complete, with every result.

    Raises:
        InputError: a field is unknown, of the wrong type, out of bounds, or contradicts another.

    Example:
        >>> experiment = Experiment(problem="digits", algorithm="fedavg", nodes=5, rounds=2)
        >>> experiment.aggregator
        Mean()
        >>> Experiment(problem="digits", algorithm="fedavg", aggregator={"name": "krum", "f": 4}, nodes=10)
        Traceback (most recent call last):
        holdfast.errors.InputError: aggregator.f must leave krum at least 11 rows, but 'f=4 with 10 rows' was given. \
Use at least 11 rows, a smaller f, or a rule that needs fewer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)

    name: str = Field(
        "experiment", pattern=r"^[\w. -]{1,100}$", description="what the run is called, in letters and digits"
    )
    seed: int = Field(1, ge=0, lt=2**63, description="the seed that addresses every random draw")
    problem: Annotated[Problem, Choice(Problem)] = Field(description="what is learned")
    nodes: int = Field(10, ge=1, le=10_000_000, description="how many nodes hold data")
    partition: Annotated[Partition, Choice(Partition)] = Field(
        default_factory=partial(build, Partition, "iid"), description="how the samples are spread"
    )
    topology: Annotated[Topology, Choice(Topology)] = Field(
        default_factory=partial(build, Topology, "star"), description="who talks to whom"
    )
    algorithm: Annotated[Algorithm, Choice(Algorithm)] = Field(description="how the nodes learn together")
    participation: float = Field(1.0, gt=0, le=1, description="the fraction of the nodes asked each round")
    rounds: int = Field(10, ge=1, description="how many rounds")
    attack: Annotated[Attack, Choice(Attack)] | None = Field(None, description="what Byzantine nodes do")
    aggregator: Annotated[Aggregator, Choice(Aggregator)] | None = Field(
        None, description="the rule that combines rows: the mean with a coordinator, mixing by W among peers"
    )
    codec: Annotated[Codec, Choice(Codec)] | None = Field(None, description="how rows are encoded; float32 without one")
    downlink: Annotated[Codec, Choice(Codec)] | None = Field(
        None, description="how a coordinator's broadcast is encoded; float32 without one"
    )
    trigger: Annotated[Trigger, Choice(Trigger)] = Field(
        default_factory=partial(build, Trigger, "periodic"), description="who speaks in a round"
    )
    clock: VirtualClock | None = Field(None, description="how fast nodes and links are, in a simulation's virtual time")
    network: Network = Field(Network(), description="how real processes play their rounds")
    recovery: Annotated[Recovery, BeforeValidator(by_kind, json_schema_input_type=str | Recovery)] = Field(
        Recovery(), description="who works on the samples of nodes that are gone"
    )
    faults: tuple[Annotated[Fault, Choice(Fault)], ...] = Field((), description="what goes wrong")
    evaluate_every: _Every = Field(
        1, ge=1, description="rounds between evaluations, or null; the last round is always evaluated"
    )
    evaluate_period: _Period | None = Field(
        None, description="seconds after which to evaluate before that, on one machine or at a coordinator"
    )
    metrics: tuple[str, ...] | None = Field(None, description="which metrics to evaluate; all that apply without it")
    checkpoint_every: _Every = Field(
        10, ge=1, description="rounds between checkpoints, or null; the end and Ctrl-C always leave one"
    )
    checkpoint_period: _Period | None = Field(
        None, description="seconds after which to write one before that; nodes elsewhere go by checkpoint_every alone"
    )
    summary_every: _Every = Field(
        1, ge=1, description="rounds between TensorBoard's summaries, or null; without a period either there are none"
    )
    summary_period: _Period | None = Field(None, description="seconds after which to write one before that")
    engine: Literal["auto", "stacked", "sequential"] = Field("auto", description="how gradients are computed")
    chunk_rows: int | None = Field(None, ge=1, description="how many rows are computed at once; chosen without it")
    memory_mb: int = Field(1024, ge=1, description="memory that one chunk of rows may take, in MiB")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="cpu, cuda or cuda:N")
    variants: dict[str, dict[str, Any]] = Field({}, description="several runs: a name, and the fields that differ")

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise as_input_error(error, type(self)) from None

    @model_validator(mode="before")
    @classmethod
    def _brought_along(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """What other parts bring along where nothing was named: the mean with a coordinator, a trigger, a codec."""
        if fields.get("algorithm") is None:
            return fields
        algorithm = _built(Algorithm, fields, "algorithm")
        brought: dict[str, Any] = {"trigger": "periodic"}
        if isinstance(algorithm, ServerAlgorithm):
            brought = {"trigger": algorithm.default_trigger() or "periodic", "aggregator": "mean"}
        found = brought | {name: value for name, value in fields.items() if value is not None or name not in brought}
        if found.get("codec") is None and _built(Trigger, found, "trigger").trims:
            found["codec"] = "layers"
        return found

    @model_validator(mode="after")
    def _check(self) -> Experiment:
        for name in self.variants:
            if not name or "/" in name or len(name) > 100:
                raise InputError("variants", "have names without slashes, of 1 to 100 characters", name, "Rename it.")
            try:
                self.variant(name)
            except InputError as error:
                raise self.blame(name, error) from error.__cause__
        if not self.variants:
            self._check_parts()
        return self

    def _check_parts(self) -> None:
        self._check_topology()
        self._check_ways()
        peers, partition = isinstance(self.algorithm, PeerAlgorithm), self.partition
        self.recovery.check(self.nodes, peers, partition.public, partition.pooled)
        self._check_clock()
        self._check_trigger()
        if self.network.link == "best_effort" and isinstance(self.algorithm, PeerAlgorithm):
            remedy = "Leave it out; peers mix whole rows."
            raise InputError("network.link", "be reliable among peers", "best_effort", remedy)
        if self.attack is not None:
            self.attack.byzantine(self.nodes, self.seed)
        if isinstance(self.attack, ToEach) and isinstance(self.algorithm, ServerAlgorithm):
            remedy = "Use ipm, say, or an algorithm among peers, such as dsgd."
            name = self.attack.component_name()
            raise InputError("attack", "suit a coordinator, who alone hears the attackers", name, remedy)
        for fault in self.faults:
            if fault.last_node() >= self.nodes:
                name = fault.component_name()
                raise InputError(
                    f"faults.{name}",
                    f"name nodes in 0..{self.nodes - 1}",
                    fault.last_node(),
                    "Name an existing node.",
                )
        if self.aggregator is not None:
            if isinstance(self.algorithm, PeerAlgorithm):
                self._check_rule_among_peers(self.aggregator)
            else:
                self._check_rule_of_coordinator(self.aggregator)

    def _check_ways(self) -> None:
        """What only a coordinator can do, and only on the way down."""
        peers, name = isinstance(self.algorithm, PeerAlgorithm), self.algorithm.component_name()
        if peers and self.downlink is not None:
            remedy = "Leave it out; codec is for what peers send."
            raise InputError("downlink", f"be left out with {name}, which has no coordinator", "a codec", remedy)
        if self.codec is not None and self.codec.differences:
            remedy = "Use it as downlink; what nodes send up is a difference to the broadcast already."
            raise InputError("codec", "tell rows, not differences to what the receiver holds", "delta", remedy)
        if self.downlink is not None and self.downlink.adds_up and not self.downlink.differences:
            remedy = "Write {name: delta, codec: …}, which makes good what it loses by itself."
            raise InputError("downlink", "suit a model, to which nothing may be added", "error_feedback", remedy)
        if peers and self.codec is not None and self.codec.adds_up:
            remedy = "Leave it out, or use choco, which makes good what any codec loses."
            raise InputError("codec", "suit models, which peers send, and not updates", "error_feedback", remedy)

    def _check_clock(self) -> None:
        """What of a clock suits the algorithm."""
        algorithm, clock = self.algorithm, self.clock or VirtualClock()
        unsuited = {"over_selection": clock.over_selection > 1, "deadline": clock.deadline is not None}
        if isinstance(algorithm, PeerAlgorithm):
            unsuited["availability"] = clock.availability is not None
        elif not isinstance(algorithm, ServerAlgorithm) or algorithm.awaits is None:
            return
        for field in (field for field, given in unsuited.items() if given):
            name = algorithm.component_name()
            required = f"be left out with {name}, whose coordinator waits for nobody in particular"
            if isinstance(algorithm, PeerAlgorithm):
                required = f"be left out with {name}, whose nodes wait for one another"
            raise InputError(f"clock.{field}", required, getattr(clock, field), "Leave it out.")

    def _check_trigger(self) -> None:
        try:
            self.trigger.check(self.nodes, self.rounds)
            self.algorithm.check_trigger(self.trigger)
        except InputError as error:
            raise error.within("trigger") from None

    def _check_rule_among_peers(self, rule: Aggregator) -> None:
        *before, last = rule.each()
        name = last.component_name()
        if not self.algorithm.says:
            required = f"be null with {self.algorithm.component_name()}, whose nodes hear nobody"
            raise InputError("aggregator", required, name, "Leave it out, or write aggregator: null in this variant.")
        if rule.trusted_node is not None:
            required = "suit peers, none of whom all the others trust"
            raise InputError("aggregator", required, name, "Leave it out to mix by W, or use nna, say.")
        for stage in (stage.component_name() for stage in rule.each() if stage.of_updates):
            remedy = "Leave it out, use nna or trimmed_mean, say, or an algorithm with a coordinator."
            raise InputError("aggregator", "be for models, which peers send instead of updates", stage, remedy)
        if last.on_graphs_only and any(isinstance(stage, PreAggregator) and stage.leaves(2) != 2 for stage in before):
            required = f"leave the receiver's own row in its place for {name}"
            given = [stage.component_name() for stage in (*before, last)]
            raise InputError("aggregator", required, given, "Leave out the stage that makes fewer rows of them.")

    def _check_rule_of_coordinator(self, rule: Aggregator) -> None:
        last = rule.each()[-1]
        if last.on_graphs_only:
            required = "suit a coordinator, who has no row of its own"
            remedy = "Use trimmed_mean, say, or an algorithm among peers, such as dsgd."
            raise InputError("aggregator", required, last.component_name(), remedy)
        if rule.trusted_node is not None:
            self._check_trusted(rule.trusted_node)
        try:
            rule.check(self.asked if rule.trusted_node is None else self.asked - 1)
        except InputError as error:
            raise error.within("aggregator") from None

    def _check_trusted(self, node: int) -> None:
        """The node that a rule trusts exists and is honest."""
        if node >= self.nodes:
            raise InputError("aggregator.trusted", f"lie in 0..{self.nodes - 1}", node, "Name an existing node.")
        if self.attack is not None and node in self.attack.byzantine(self.nodes, self.seed):
            remedy = "Name the attackers, as in nodes: [1, 2], or trust another node."
            raise InputError("attack.nodes", f"leave the trusted node {node} honest", self.attack.nodes, remedy)

    def _check_topology(self) -> None:
        star = self.topology.component_name() == "star"
        if isinstance(self.algorithm, ServerAlgorithm) and not star:
            remedy = "Leave topology out, or choose an algorithm among peers, such as dsgd."
            name = self.algorithm.component_name()
            raise InputError(
                "topology",
                f"be star for {name}, which needs a coordinator",
                self.topology.component_name(),
                remedy,
            )
        if isinstance(self.algorithm, PeerAlgorithm) and self.participation < 1:
            remedy = "Leave participation out, or choose an algorithm with a coordinator."
            raise InputError("participation", "be 1 among peers", self.participation, remedy)

    @property
    def asked(self) -> int:
        """How many nodes are asked each round."""
        return max(1, round(self.participation * self.nodes))

    def runs(self) -> Iterator[tuple[str, Experiment]]:
        """Each variant by name as an experiment of its own; the whole under the name ``main`` if there are none."""
        for name in self.variants or [SOLE_VARIANT]:
            yield name, self.variant(name)

    def variant(self, name: str) -> Experiment:
        """The experiment of one variant: the fields it names are replaced; ``a.b`` names a field within a field."""
        if not self.variants:
            return self
        mapping = self.as_mapping()
        mapping["variants"] = {}
        changed = {path.partition(".")[0] for path in self.variants[name]}
        if "algorithm" in changed:
            mapping |= dict.fromkeys(self._defaults() - changed)
        for path, value in self.variants[name].items():
            assign(mapping, path, value)
        return Experiment(**mapping)

    def blame(self, variant: str, error: InputError) -> InputError:
        """The error with its field named where the user wrote it: in the variant, or in the experiment itself."""
        own = {path.partition(".")[0] for path in self.variants.get(variant, {})}
        return error.within(f"variants.{variant}") if error.field.partition(".")[0] in own else error

    def _defaults(self) -> set[str]:
        """The fields that hold what the algorithm brought along."""
        rule = self.aggregator is None or self.aggregator.component_name() == "mean"
        trigger = self.trigger == (self._own_trigger() or build(Trigger, "periodic"))
        return {name for name, default in (("aggregator", rule), ("trigger", trigger)) if default}

    def _own_trigger(self) -> Trigger | None:
        return self.algorithm.default_trigger() if isinstance(self.algorithm, ServerAlgorithm) else None

    def as_mapping(self) -> dict[str, Any]:
        """The complete experiment as plain values, as an experiment file would hold them."""
        return self.model_dump(mode="json")

    def as_yaml(self) -> str:
        """The complete experiment as an experiment file."""
        return yaml.safe_dump(self.as_mapping(), sort_keys=False, allow_unicode=True)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a YAML or JSON file; see `read`.

    Raises:
        InputError: the file cannot be read, or it is not a valid experiment.
    """
    content = read(path, overrides)
    if "grid" in content:
        raise InputError("grid", "stand in a file for `holdfast sweep`", str(path), f"Use holdfast sweep {path}.")
    return Experiment(**content)
