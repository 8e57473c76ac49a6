"""Runs an experiment, variant by variant, and leaves a run directory; or goes on with an interrupted one."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import Any, Literal

from rich.console import Console

from holdfast.checkpoint import Checkpoint, digest
from holdfast.due import NEVER, Clock, Due
from holdfast.errors import InputError
from holdfast.experiment import Experiment, load
from holdfast.facts import FIRST, facts_of_run, facts_of_variant
from holdfast.prepare import Prepared, Preparer
from holdfast.record.live import Live
from holdfast.record.recorder import Recorder, rewind
from holdfast.record.report import write_report
from holdfast.record.summary import summarise
from holdfast.runtimes.debug import Debug
from holdfast.runtimes.rounds import Rounds, StoppedError
from holdfast.runtimes.simulation import Simulation

__all__ = ["Deployment", "Result", "interrupted", "interruptible", "making", "resume", "run", "try_to_write"]

Runtime = Literal["simulation", "debug"]


Make = Callable[[str, Prepared, Recorder, threading.Event, Callable[[str], None]], Rounds]
"""``make(variant, run, log, stopping, status) -> rounds``; ``stopping`` is set when the user wants to stop, ``status``
shows what is waited for."""


@dataclass(frozen=True)
class Deployment:
    """Where the rounds of a run are played.

    Args:
        make: the rounds of a variant.
        rows: how many nodes compute in this process; all that are asked without it.
        pinned: whether the engine chosen here is that of the run, to be written into its experiment.
        opened: called with the run directory, once there is one.
    """

    make: Make
    rows: int | None = None
    pinned: bool = True
    opened: Callable[[Path], None] = lambda directory: None


RUNTIMES = {
    "simulation": Deployment(lambda variant, run, log, stopping, status: Simulation(run, log)),
    "debug": Deployment(lambda variant, run, log, stopping, status: Debug(run, log)),
}


@dataclass(frozen=True)
class Result:
    """What a run left.

    Args:
        directory: the run directory.
        summary: what `summary.json` holds.
        interrupted: whether it was stopped, and can be resumed.
    """

    directory: Path
    summary: dict[str, Any]
    interrupted: bool = False

    @property
    def report(self) -> Path:
        """The report to open in a browser."""
        return self.directory / "report.html"

    @property
    def failed(self) -> bool:
        """Whether not one variant came to its end: every one diverged."""
        return all(about["status"] == "diverged" for about in self.summary["variants"].values())

    def final(self, metric: str, variant: str | None = None) -> float:
        """The last value of a metric, of the only variant or of the one named."""
        variants = self.summary["variants"]
        return float(variants[variant or next(iter(variants))]["final"][metric])


def run(
    experiment: Experiment,
    out: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    runtime: Runtime | Deployment = "simulation",
    console: Console | None = None,
    source: Path | None = None,
) -> Result:
    """Run every variant of an experiment and write the run directory.

    Args:
        experiment: what to run.
        out: the directory to make; ``runs/<time>-<name>`` without it.
        data_dir: where data sets lie; the environment variable HOLDFAST_DATA without it.
        runtime: ``simulation``, ``debug`` to compute one node at a time, or a deployment.
        console: where progress is shown; nowhere without one.
        source: the folder of the experiment file.

    Raises:
        InputError: the experiment cannot be run as it is; nothing has been written then.

    Example:
        >>> import tempfile
        >>> experiment = Experiment(problem="digits", algorithm="fedavg", nodes=4, rounds=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = run(experiment, f"{folder}/first")
        ...     result.summary["variants"]["main"]["status"], result.report.name
        ('done', 'report.html')
    """
    with making():
        directory = _free_directory(experiment, out)
        try_to_write(directory)
    deployment = RUNTIMES[runtime] if isinstance(runtime, str) else runtime
    with _Conductor(experiment, directory, data_dir, deployment, console, source or Path.cwd()) as conductor:
        prepared = conductor.prepare()
        with making():
            directory.mkdir(parents=True)
        pinned = (_pinned(experiment, prepared) if conductor.runtime.pinned else experiment).as_yaml()
        (directory / "experiment.yaml").write_text(pinned, encoding="utf-8")
        conductor.digest = digest(pinned)
        return conductor.conduct(prepared)


def resume(
    directory: str | Path,
    *,
    data_dir: str | Path | None = None,
    runtime: Runtime | Deployment = "simulation",
    console: Console | None = None,
) -> Result:
    """Go on with an interrupted run, to the very numbers that an unbroken one gives.

    Raises:
        InputError: there is no checkpoint, it is damaged, or the experiment has been changed since.
    """
    directory = Path(directory)
    experiment, checkpoint = interrupted(directory)
    deployment = RUNTIMES[runtime] if isinstance(runtime, str) else runtime
    with _Conductor(experiment, directory, data_dir, deployment, console, Path(checkpoint.source)) as conductor:
        prepared = conductor.prepare()
        rewind(directory, checkpoint.position)
        conductor.digest = checkpoint.experiment
        return conductor.conduct(prepared, checkpoint)


def interrupted(directory: Path) -> tuple[Experiment, Checkpoint]:
    """The experiment of an interrupted run, and where it can go on.

    Raises:
        InputError: there is no checkpoint, it is damaged, or the experiment has been changed since.
    """
    checkpoint = Checkpoint.read(directory / "checkpoint")
    sys.path.append(checkpoint.source)
    file = directory / "experiment.yaml"
    experiment = load(file)
    if digest(file.read_text(encoding="utf-8")) != checkpoint.experiment:
        remedy = "Restore the file, or run the changed experiment with `holdfast run` into a directory of its own."
        raise InputError(str(file), "be the experiment of the checkpoint", "a changed one", remedy)
    return experiment, checkpoint


def _free_directory(experiment: Experiment, out: str | Path | None) -> Path:
    if out is None:
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{experiment.name.replace(' ', '-')}"
        wanted = (Path("runs") / (name if n == 1 else f"{name}-{n}") for n in count(1))
        return next(directory for directory in wanted if not directory.exists())
    directory = Path(out)
    if directory.exists():
        remedy = "Name another, or remove it; `holdfast resume` goes on with an interrupted run."
        raise InputError("--out", "be a directory that does not exist yet", str(out), remedy)
    return directory


@contextmanager
def making() -> Iterator[None]:
    """Tell what keeps a directory from being made as a mistake that the user can mend.

    Raises:
        InputError: the system refuses.
    """
    try:
        yield
    except OSError as error:
        remedy = "Name one in a folder that can be written to."
        raise InputError("--out", "be a directory that can be made", error.strerror, remedy) from error


def try_to_write(directory: Path) -> None:
    """Write where a directory is or is to be made, and leave nothing there.

    Raises:
        OSError: the system refuses.
    """
    places = (directory, *directory.absolute().parents)
    TemporaryFile(dir=next(place for place in places if place.exists())).close()


def _pinned(experiment: Experiment, prepared: dict[str, Prepared]) -> Experiment:
    """The experiment with the engines that were chosen, so that it runs again to the same numbers."""
    if not experiment.variants:
        return next(iter(prepared.values())).experiment
    pins = {n: {"engine": p.engine.name, "chunk_rows": p.engine.chunk} for n, p in prepared.items()}
    variants = {name: {**fields, **pins[name]} for name, fields in experiment.variants.items()}
    return experiment.model_copy(update={"variants": variants})


@dataclass
class _Conductor:
    """Takes the variants of one experiment through their rounds, with record, progress and checkpoints."""

    experiment: Experiment
    directory: Path
    data_dir: str | Path | None
    runtime: Deployment
    console: Console | None
    source: Path
    facts: dict[str, Any] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    digest: str = ""

    def __enter__(self) -> _Conductor:
        rounds = {name: run.rounds for name, run in self.experiment.runs()}
        quiet = self.console or Console(quiet=True)
        self.live = Live(self.experiment.name, rounds, quiet)
        self.live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.live.__exit__(*error)

    def prepare(self) -> dict[str, Prepared]:
        """Every variant, ready to run: whatever is wrong with any of them shows before the first round."""
        self.live.status("loading data and choosing the engine")
        preparer = Preparer(Path(self.data_dir) if self.data_dir is not None else None, self.runtime.rows)
        prepared = {}
        for name, variant in self.experiment.runs():
            try:
                prepared[name] = preparer.prepare(variant)
                self._check_period(prepared[name])
            except InputError as error:
                raise self.experiment.blame(name, error) from error.__cause__
        return prepared

    def _check_period(self, run: Prepared) -> None:
        """Whether nodes elsewhere can know when to show their models: only by the number of the round."""
        period = run.experiment.evaluate_period
        if period is not None and run.peers and not self.runtime.pinned:
            remedy = "Leave it out and set evaluate_every."
            raise InputError("evaluate_period", "be null among peers in processes of their own", period, remedy)

    def conduct(self, prepared: dict[str, Prepared], checkpoint: Checkpoint | None = None) -> Result:
        """All variants that are not done, then the summary, the plots and the report."""
        self.facts = dict(checkpoint.facts) if checkpoint else {}
        self.runtime.opened(self.directory)
        with interruptible(self.stopping):
            for name, run in prepared.items():
                if self.facts.get(name, {}).get("status") in ("done", "diverged") or self.stopping.is_set():
                    continue
                here = checkpoint if checkpoint and checkpoint.variant == name else None
                self.facts[name] = self._variant(name, run, here)
        summary = summarise(self.directory, facts_of_run(self.experiment, prepared, self.facts))
        self.live.status("drawing the report")
        write_report(self.directory)
        return Result(self.directory, summary, interrupted=self.stopping.is_set())

    def _variant(self, name: str, run: Prepared, checkpoint: Checkpoint | None) -> dict[str, Any]:
        start = checkpoint.round if checkpoint else 0
        with Recorder(self.directory, name, purge_step=start + 1 if checkpoint else None) as log:
            simulation = self.runtime.make(name, run, log, self.stopping, self.live.status)
            self.live.status("warming up the rule")
            warm_up_seconds = run.warm_up()
            clock = Clock(checkpoint.seconds, checkpoint.facts.get(name, {}).get(FIRST)) if checkpoint else Clock()
            if checkpoint:
                simulation.restore(checkpoint.tensors)
            else:
                if len(run.parts.byzantine):
                    log.event(0, "byzantine", nodes=run.parts.byzantine.tolist())
                log.evaluation(0, simulation.measure(0))
            summaries = (run.experiment.summary_every, run.experiment.summary_period) != (NEVER, None)
            if summaries:
                log.summary()
            status = self._rounds(name, run, simulation, log, start, clock)
            if summaries:
                log.summary()
            about = facts_of_variant(run, simulation, status, clock, self.runtime.pinned, warm_up_seconds)
            self.live.finish(name, status)
            if status != "interrupted":
                self.facts[name] = about
            self._checkpoint(name, simulation, log, clock)
        return about

    def _rounds(self, name: str, run: Prepared, simulation: Rounds, log: Recorder, start: int, clock: Clock) -> str:
        """The rounds after ``start``; how they ended."""
        experiment, found = run.experiment, {}
        evaluation = Due(experiment.evaluate_every, experiment.evaluate_period)
        checkpoint = Due(experiment.checkpoint_every, experiment.checkpoint_period)
        summary = Due(experiment.summary_every, experiment.summary_period)
        for round in range(start + 1, experiment.rounds + 1):
            if self.stopping.is_set():
                return "interrupted"
            try:
                simulation.ready(round)
                with clock:
                    simulation.step(round)
            except StoppedError:
                return "interrupted"
            if diverged := simulation.diverged():
                log.event(round, "diverged")
            last = diverged or round == experiment.rounds
            if evaluation(round) or last:
                found = simulation.measure(round, last)
                log.evaluation(round, found)
            if summary(round):
                log.summary()
            self.live.update(name, round, found, log.bytes_up, log.events, simulation.note)
            if diverged:
                return "diverged"
            if checkpoint(round) and not last:
                self._checkpoint(name, simulation, log, clock)
        return "done"

    def _checkpoint(self, name: str, simulation: Rounds, log: Recorder, clock: Clock) -> None:
        """Write down where to go on; a disk that does not take it costs the checkpoint, not the run."""
        checkpoint = Checkpoint(
            self.digest,
            name,
            simulation.round,
            clock.seconds,
            log.position(),
            {name: {FIRST: clock.first}} | self.facts,
            str(self.source.resolve()),
            simulation.state(),
        )
        try:
            checkpoint.write(self.directory / "checkpoint")
        except OSError as error:
            log.event(simulation.round, "unsaved", reason=error.strerror)
            self.live.warn(
                f"no checkpoint after round {simulation.round}: {error.strerror}. Free some space; going on."
            )


@contextmanager
def interruptible(stopping: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C end the run after the round under way, with a checkpoint; the second ends it at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
