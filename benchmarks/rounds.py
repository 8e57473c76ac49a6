"""Round throughput side by side, in one run: Holdfast, a plain loop, Flower, pfl; in clients per second."""

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import ROOT, Command, Result

PEERS = ROOT / "benchmarks" / "peers"
OURS = "holdfast"
MODELS = ("mlp", "logistic", "cnn")
CLIENTS = (20, 100)
CASES = tuple(f"{model}-{clients}" for model, clients in itertools.product(MODELS, CLIENTS))


@dataclass(frozen=True)
class Contender:
    """A script and the environment that it runs in."""

    script: Path
    environment: Path
    setting: str | None = None

    def missing(self) -> str | None:
        """Name the path without which this contender cannot run, if there is one."""
        paths = (self.environment / "bin" / "python", self.script)
        return next((str(path.relative_to(ROOT)) for path in paths if not path.exists()), None)

    def command(self, case: str, rounds: int) -> Command:
        """Give the command line for one run of a case."""
        model, clients = case.split("-")
        options = ("--model", model, "--clients", clients, "--rounds", str(rounds))
        python = (self.environment / "bin" / "python", self.script, *options)
        return ("env", self.setting, *python) if self.setting else python


CONTENDERS = {
    OURS: Contender(PEERS / "holdfast_rounds.py", ROOT / ".venv"),
    "plain": Contender(PEERS / "plain.py", ROOT / ".venv"),
    # Each peer as it comes, and in the fastest setting that was found for this benchmark.
    "flower": Contender(PEERS / "flower.py", ROOT / ".venv-flower", "CLIENT_CPUS=2"),
    "flower-tuned": Contender(PEERS / "flower.py", ROOT / ".venv-flower", "CLIENT_CPUS=1"),
    "pfl": Contender(PEERS / "pfl.py", ROOT / ".venv-pfl", "LOCAL_RANK=0"),
    "pfl-tuned": Contender(PEERS / "pfl.py", ROOT / ".venv-pfl"),
}


@dataclass(frozen=True)
class Target:
    """How many times as fast as a peer Holdfast shall be, in some of the cases."""

    peer: str
    least: float
    cases: tuple[str, ...]

    def verdict(self, ratios: dict[str, dict[str, float]]) -> str:
        """Judge by the worst of the cases that were measured."""
        measured = {case: ratios[case][self.peer] for case in self.cases if self.peer in ratios.get(case, {})}
        where = self.cases[0] if len(self.cases) == 1 else "every case"
        aim = f"at least {self.least:g} x {self.peer} on {where}"
        if not measured:
            return f"not measured: {aim}"
        worst = min(measured, key=lambda case: measured[case])
        partial = len(measured) < len(self.cases)
        outcome = ("reached so far" if partial else "reached") if measured[worst] >= self.least else "MISSED"
        part = f", {len(measured)} of {len(self.cases)} cases measured" if partial else ""
        return f"{outcome}: {aim} ({measured[worst]:.2f} x on {worst}{part})"


TARGETS = (
    Target("flower", 8.0, ("mlp-100",)),
    Target("pfl", 2.5, ("mlp-100",)),
    Target("plain", 4.0, ("logistic-100",)),
    Target("plain", 0.95, CASES),
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds and one repeat: rough figures")
    parser.add_argument("--rounds", type=int, help="measured rounds of a run (default 5; quick 3)")
    parser.add_argument("--repeats", type=int, help="runs of each contender and case (default 3; quick 1)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES, metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=tuple(CONTENDERS), help="who runs")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.repeats = options.repeats or (1 if options.quick else 3)
    return options


def present(names: list[str]) -> dict[str, Contender]:
    """Keep the contenders that can run here; say which cannot, and why."""
    for name in names:
        if missing := CONTENDERS[name].missing():
            print(f"skipped {name}: there is no {missing}")
    return {name: CONTENDERS[name] for name in names if not CONTENDERS[name].missing()}


def compare(runs: dict[str, list[Result]]) -> dict[str, float]:
    """Give the ratio of Holdfast's throughput to each peer's."""
    if OURS not in runs:
        return {}
    return {peer: harness.ratio(runs[OURS], theirs) for peer, theirs in runs.items() if peer != OURS}


def rows(names: list[str], rates: dict[str, dict[str, float]], ratios: dict[str, dict[str, float]]) -> list[list[str]]:
    """Lay out one row a case: the rate of each contender, then Holdfast's ratio to each peer."""
    return [
        [case]
        + [f"{rates[case][name]:.1f}" if name in rates[case] else "-" for name in names]
        + [f"{ratios[case][name]:.2f}" if name in ratios[case] else "-" for name in names if name != OURS]
        for case in rates
    ]


def main() -> None:
    options = arguments()
    machine = harness.machine()
    warning = harness.busy(machine)
    print(machine, warning, sep="\n")
    contenders = present(options.contenders)
    runs: dict[str, dict[str, list[Result]]] = {}
    failures: dict[str, dict[str, str]] = {}
    for case in options.cases:
        print(case, flush=True)
        commands = {name: contender.command(case, options.rounds) for name, contender in contenders.items()}
        runs[case], failures[case] = harness.interleave(commands, options.repeats)
    rates = {case: {name: harness.median_rate(r) for name, r in by.items()} for case, by in runs.items()}
    ratios = {case: compare(by) for case, by in runs.items()}
    verdicts = [target.verdict(ratios) for target in TARGETS]

    header = ["clients/s", *contenders, *(f"{OURS} ÷ {name}" for name in contenders if name != OURS)]
    print("", harness.table(header, rows(list(contenders), rates, ratios)), "", *verdicts, warning, sep="\n")
    content = {
        "machine": machine,
        "warning": warning,
        "clients_per_second": rates,
        "ratios": ratios,
        "verdicts": verdicts,
        "failures": failures,
        "runs": runs,
    }
    print("\nwritten:", harness.save("rounds", content).relative_to(ROOT))


if __name__ == "__main__":
    main()
