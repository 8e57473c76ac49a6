"""What aggregation rules cost, as ratios to reading the input once (the mean), beside ByzFL's in the same run."""

import argparse
import statistics
from collections.abc import Sequence

import harness
from harness import ROOT, Command, Result

PEERS = ROOT / "benchmarks" / "peers"
PYTHONS = {"holdfast": ROOT / ".venv" / "bin" / "python", "byzfl": ROOT / ".venv-byzfl" / "bin" / "python"}

LIMITS = {
    "median": 5,
    "trimmed_mean": 5,
    "mean_around_median": 7,
    "phocas": 7,
    "krum": 5,
    "multi_krum": 5,
    "nnm + trimmed_mean": 10,
    "bulyan": 12,
    "geometric_median": 4,
}
"""At most so many times the mean, with 19 rows of 1,756,426 columns of which 4 may lie."""
FASTER = 8
"""At least so many times as fast as ByzFL."""
SCALED = (
    "mean",
    "median",
    "trimmed_mean",
    "mean_around_median",
    "multi_krum",
    "nnm + trimmed_mean",
    "geometric_median",
)
ROWS = (5, 11, 19, 32, 64, 128, 256, 1000)
COLUMNS = (10**4, 10**5, 10**6, 10**7, 10**8)


def command(contender: str, rows: int, columns: int, f: int, repeats: int, rules: Sequence[str] = ()) -> Command:
    """The command line for one run of a contender."""
    sizes = ("--rows", str(rows), "--columns", str(columns), "--f", str(f), "--repeats", str(repeats))
    return (PYTHONS[contender], PEERS / f"{contender}_rules.py", *sizes, *(("--rules", *rules) if rules else ()))


def medians(runs: Sequence[Result]) -> dict[str, float]:
    """The median milliseconds of each rule over the repeats."""
    return {name: statistics.median(run["rules"][name]["ms"] for run in runs) for name in runs[0]["rules"]}


def head_to_head(repeats: int) -> dict[str, object]:
    """The figures of the reference: every rule against the mean, and against ByzFL where it has the rule."""
    there = {name: command(name, 19, 1_756_426, 4, 5) for name, python in PYTHONS.items() if python.exists()}
    if "byzfl" not in there:
        print("skipped byzfl: there is no .venv-byzfl; benchmarks/peers/install.sh byzfl makes it")
    runs, _ = harness.interleave(there, repeats)
    ours = medians(runs["holdfast"])
    theirs = medians(runs["byzfl"]) if "byzfl" in runs else {}
    lines = []
    for name in sorted(ours, key=lambda name: ours[name]):
        ratio, faster = ours[name] / ours["mean"], theirs[name] / ours[name] if name in theirs else None
        verdict = "" if name not in LIMITS else "reached" if ratio <= LIMITS[name] else "MISSED"
        if faster is not None and name != "mean" and faster < FASTER:
            verdict += " (slower than aimed at against ByzFL)"
        limit = str(LIMITS.get(name, ""))
        by = ("", "") if faster is None else (f"{theirs[name]:.0f}", f"{faster:.0f}")
        lines.append([name, f"{ours[name]:.1f}", f"{ratio:.1f}", limit, *by, verdict])
    print(harness.table(["rule", "ms", "÷ mean", "at most", "ByzFL ms", "times as fast", ""], lines))
    return {"holdfast": ours, "byzfl": theirs, "first_call_ms": runs["holdfast"][0]["rules"]}


def scaling(sizes: Sequence[tuple[int, int]], by: str) -> dict[str, dict[str, float]]:
    """Milliseconds over rows or columns."""
    found = {}
    for rows, columns in sizes:
        f = max(1, (rows - 3) // 5)
        result = harness.run_json(command("holdfast", rows, columns, f, 3, SCALED))
        found[f"{rows if by == 'rows' else columns:,}"] = {name: result["rules"][name]["ms"] for name in SCALED}
    lines = [[size, *(f"{ms[name]:.2f}" for name in SCALED)] for size, ms in found.items()]
    print(harness.table([by, *SCALED], lines))
    return found


def memory(rules: Sequence[str]) -> dict[str, float]:
    """How much memory each rule takes beside its input and its output, in MiB."""
    found, rows, columns = {}, 19, 10**7
    for rule in rules:
        result = harness.run_json(command("holdfast", rows, columns, 4, 1, [rule]))
        found[rule] = result["peak_mib"] - result["rows_mib"] - columns * 4 / 2**20
    lines = [[rule, f"{mib:.0f}"] for rule, mib in found.items()]
    print(harness.table([f"beside {rows} rows of {columns:,}", "MiB"], lines))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the reference's figures alone, once")
    options = parser.parse_args()
    machine = harness.machine()
    print(machine, harness.busy(machine), sep="\n")
    content = {"machine": machine, "rules": head_to_head(1 if options.quick else 3)}
    if not options.quick:
        content["rows"] = scaling([(rows, 100_000) for rows in ROWS], "rows")
        content["columns"] = scaling([(11, columns) for columns in COLUMNS], "columns")
        content["memory_mib"] = memory(SCALED)
    print("\nwritten:", harness.save("aggregation", content).relative_to(ROOT))


if __name__ == "__main__":
    main()
