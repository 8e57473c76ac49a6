"""Run contenders in turn, each a command that prints one line of JSON; compare, tabulate and keep results."""

import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
TIME_LIMIT = 1800.0  # seconds for one command
BUSY = 0.5  # load, in running processes, above which threads of one contender wait for strangers
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Command = Sequence[str | Path]
Result = dict[str, Any]


class ContenderError(RuntimeError):
    """A contender failed, ran too long or printed no result; the message holds the end of its output."""


def run_json(command: Command, time_limit: float = TIME_LIMIT) -> Result:
    """Run a command in the project root and parse the last line of its output that starts with a brace.

    Each contender chooses its own number of threads: variables that would set it are not passed on.

    Raises:
        ContenderError: The command failed, printed no such line or ran longer than ``time_limit`` seconds.
    """
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=time_limit)
    except BaseException as error:  # Ctrl-C too: the command's workers must not live on
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise ContenderError(f"ran longer than {time_limit:g} s") from error
        raise
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise ContenderError(f"exit code {process.returncode}: {errors.strip()[-500:]}")
    return dict(json.loads(lines[-1]))


def interleave(
    contenders: dict[str, Command], repeats: int, say: Callable[[str], None] = print
) -> tuple[dict[str, list[Result]], dict[str, str]]:
    """Run A B C A B C …, so that what slows the machine for a while slows everybody.

    Returns:
        The results of each contender, in order; and, by name, why a contender was dropped.
    """
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    failures: dict[str, str] = {}
    for repeat in range(repeats):
        for name, command in contenders.items():
            if name in failures:
                continue
            say(f"  {repeat + 1}/{repeats} {name}")
            try:
                results[name].append(run_json(command))
            except ContenderError as error:
                failures[name] = str(error)
                say(f"  {name} failed and is left out: {error}")
    return {name: runs for name, runs in results.items() if name not in failures}, failures


def clients_per_second(result: Result) -> float:
    """Give the throughput of one run, from its median round."""
    return float(result["clients"] / statistics.median(result["seconds_per_round"]))


def median_rate(runs: Sequence[Result]) -> float:
    """Give the median throughput over the repeats, in clients per second."""
    return statistics.median(map(clients_per_second, runs))


def ratio(ours: Sequence[Result], theirs: Sequence[Result]) -> float:
    """Compare two contenders: the median over the repeats of the ratio within a repeat.

    Neighbours in time are compared with each other, so a machine that grows slower does not favour either.
    """
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(clients_per_second(a) / clients_per_second(b) for a, b in pairs)


def machine() -> Result:
    """Describe where and when the figures are taken; ask before the first run, or the load is its own."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),  # processes that ran already, in the minute before
        "python": platform.python_version(),
        "torch": installed("torch"),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def cpu_model() -> str:
    """Name the processor as the kernel does."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def installed(package: str) -> str:
    """Give the version of a package here, or say that it is absent."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def busy(machine: Result) -> str:
    """Give a warning if something else was running: a loop with two threads then loses tenfold and more."""
    load = machine["load"]
    return f"BUSY MACHINE (load {load:g} before the start): do not trust these figures" if load > BUSY else ""


def save(name: str, content: Result) -> Path:
    """Write results to ``benchmarks/results/<name>.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table that reads well in a terminal and is Markdown; all but the first column to the right.

    >>> print(table(["case", "clients/s"], [["mlp", "62"]]))
    | case | clients/s |
    |------|----------:|
    | mlp  |        62 |
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    lines = [_line(row, widths) for row in (header, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "| " + " | ".join(cells) + " |"
