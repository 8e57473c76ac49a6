"""Tiny IDX files for tests."""

import gzip
import struct

import numpy as np


def idx(array):
    """The gzipped IDX bytes of an array of bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def write_mnist(folder, train=6, test=4):
    """A folder of four files in the form of MNIST; returns the arrays by file name."""
    numbers, arrays = np.random.default_rng(0), {}
    for part, samples in {"train": train, "t10k": test}.items():
        arrays[f"{part}-images-idx3-ubyte.gz"] = numbers.integers(0, 256, (samples, 28, 28), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte.gz"] = numbers.integers(0, 10, samples, dtype=np.uint8)
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        (folder / name).write_bytes(idx(array))
    return arrays
