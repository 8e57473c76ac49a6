"""What codecs cost: the rate of encoding and decoding 100 MB, as one row and as a hundred, on two threads."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import torch

import harness
from harness import Result
from holdfast.catalogue import build
from holdfast.codecs import Codec
from holdfast.seeding import Draws

T = TypeVar("T")

THREADS = 2
SIZES = {"one row": (1, 25_000_000), "100 rows": (100, 250_000)}
LIMITS = {"float16": 1.0, "int8": 1.0, "sign": 1.0, "top_k": 0.3}
"""At least so many GB/s of float32, encoded and decoded again."""
CODECS = ("float16", "int8", "qsgd", "int4", "natural", "terngrad", "sign", "top_k")


def measure(name: str, rows: int, columns: int, repeats: int) -> Result:
    """Median milliseconds to encode and to decode, those of compiling or loading, and the bytes of a row."""
    torch.set_num_threads(THREADS)
    codec, x_KD = build(Codec, name), torch.randn(rows, columns, generator=torch.Generator().manual_seed(1))
    draws = Draws(1, "codec", torch.arange(rows).numpy(), 1)
    warm_up, _ = timed(lambda: codec.decode(codec.template(8)))
    encodes, decodes = [], []
    for _ in range(1 + repeats):  # the first finds no memory that was freed before
        encode, (_, payload) = timed(lambda: codec.encode(codec.start(rows, columns), x_KD, draws))
        decode, _ = timed(lambda made=payload: codec.decode(made))
        encodes.append(encode)
        decodes.append(decode)
    encode, decode = statistics.median(encodes[1:]), statistics.median(decodes[1:])
    rate = 4e-6 * rows * columns / (encode + decode)
    size = int(payload.bytes_K[0])
    return {"encode_ms": encode, "decode_ms": decode, "gb_s": rate, "warm_up_ms": warm_up, "bytes": size}


def timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    made = work()
    return 1000 * (time.perf_counter() - start), made


def table(size: str, repeats: int) -> dict[str, Result]:
    """The codecs one after the other, each in a process of its own."""
    rows, columns = SIZES[size]
    found, lines = {}, []
    for name in CODECS:
        given = ("--codec", name, "--rows", str(rows), "--columns", str(columns), "--repeats", str(repeats))
        found[name] = result = harness.run_json((sys.executable, __file__, *given))
        limit = LIMITS.get(name)
        verdict = "" if limit is None else "reached" if result["gb_s"] >= limit else "MISSED"
        numbers = [f"{result[key]:.0f}" for key in ("warm_up_ms", "encode_ms", "decode_ms")]
        ratio = f"{4 * columns / result['bytes']:.1f}"
        lines.append([name, *numbers, f"{result['gb_s']:.2f}", str(limit or ""), ratio, verdict])
    header = [size, "warm-up, ms", "encode, ms", "decode, ms", "GB/s", "at least", "times smaller", ""]
    print(harness.table(header, lines))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", help="measure this one alone and print JSON")
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--columns", type=int, default=25_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    if options.codec:
        print(json.dumps(measure(options.codec, options.rows, options.columns, options.repeats)))
        return
    machine = harness.machine()
    print(machine, harness.busy(machine), sep="\n")
    content = {"machine": machine, **{size: table(size, options.repeats) for size in SIZES}}
    print("\nwritten:", harness.save("codecs", content).relative_to(harness.ROOT))


if __name__ == "__main__":
    main()
