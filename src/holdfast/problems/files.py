"""Files of data sets: finding them, checking them, and downloading them where the user allows it.

A file is looked for in the folder that the user named, else in the folder of the environment variable
HOLDFAST_DATA, and, with ``download: true``, in the cache folder of pooch, where it is put if it is nowhere.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pooch
from numpy.typing import NDArray

from holdfast.errors import InputError

__all__ = ["Source", "damaged", "find", "read_idx"]

CHECKSUMS = "SHA256SUMS"
"""The file in a data folder that lists the SHA-256 of its files, as `sha256sum` writes it."""

_MOST_DEFLATED = 1032
"""How much DEFLATE can shrink data: at best two bits stand for a repetition of 258 bytes, 258 * 8 / 2."""


@dataclass(frozen=True)
class Source:
    """Where a file is published, and what it must hold.

    Args:
        url: the address of the file, or of a zip archive that holds it.
        digest: the algorithm and the hexadecimal digest of the file itself, as ``"md5:…"``.
        member: the name of the file in the archive; empty if the address is the file's own.
    """

    url: str
    digest: str
    member: str = ""


def damaged(path: Path, required: str, given: object) -> InputError:
    """The error that says what is wrong with a file.

    Example:
        >>> print(damaged(Path("labels.gz"), "hold labels below 10", 12))
        labels.gz must hold labels below 10, but 12 was given. The file is damaged or another one: \
fetch it anew.
    """
    return InputError(str(path), required, given, "The file is damaged or another one: fetch it anew.")


def find(name: str, data_dir: Path | None = None, source: Source | None = None, downloadable: bool = False) -> Path:
    """Where a file of a data set lies, after checking its digest where that is known.

    Args:
        name: the file relative to the data folder, with forward slashes.
        data_dir: the data folder that the user named, if any; else the environment's HOLDFAST_DATA.
        source: where to download a file that is not there, into pooch's cache; ``None`` downloads nothing.
        downloadable: whether the problem would download it, if told to.

    Raises:
        InputError: the file is missing, its digest is not the one listed, or the download failed.

    Example:
        >>> find("mnist/none-such.gz", Path("no-such-folder"))
        Traceback (most recent call last):
        holdfast.errors.InputError: mnist/none-such.gz must be in the data folder, but 'no-such-folder, \
which lacks it' was given. Name the folder with --data-dir or HOLDFAST_DATA.
    """
    folder = data_dir if data_dir is not None else os.environ.get("HOLDFAST_DATA")
    if folder and (Path(folder) / name).is_file():
        return _as_listed(Path(folder), name)
    if source is not None:
        return _downloaded(name, source)
    remedy = "Name the folder with --data-dir or HOLDFAST_DATA"
    remedy += ", or set download: true for the problem." if downloadable else "."
    raise InputError(name, "be in the data folder", f"{folder}, which lacks it" if folder else "no folder", remedy)


def _as_listed(folder: Path, name: str) -> Path:
    """The file, if the folder's checksums do not list it, or list it with the digest that it has."""
    path, sums = folder / name, folder / CHECKSUMS
    lines = sums.read_text(encoding="utf-8", errors="replace").splitlines() if sums.is_file() else []
    listed = {entry.lstrip(" *"): digest for digest, _, entry in (line.partition(" ") for line in lines)}
    if name in listed and not _matches(path, f"sha256:{listed[name].lower()}"):
        raise damaged(path, f"have the digest listed in {CHECKSUMS}", "another digest")
    return path


def _matches(path: Path, digest: str) -> bool:
    algorithm, _, expected = digest.partition(":")
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest() == expected
    except OSError:  # missing or unreadable
        return False


def _downloaded(name: str, source: Source) -> Path:
    """The file in pooch's cache, fetched if it is not there as published."""
    path = Path(pooch.os_cache("holdfast")) / name
    if _matches(path, source.digest):
        return path
    path.unlink(missing_ok=True)
    try:
        _fetch(path, source)
    except (OSError, ValueError, BadZipFile) as error:
        remedy = f"It failed with {type(error).__name__}: {error}. Try again, or name a folder with --data-dir."
        raise InputError(name, "be downloadable", source.url, remedy) from error
    return path


def _fetch(path: Path, source: Source) -> None:
    if not source.member:
        pooch.retrieve(source.url, source.digest, fname=path.name, path=path.parent)
        return
    archive = path.parent / source.url.rpartition("/")[2]
    try:
        unzip = pooch.Unzip(members=[source.member], extract_dir=".")
        pooch.retrieve(source.url, None, fname=archive.name, path=path.parent, processor=unzip)
        if not _matches(path, source.digest):
            raise ValueError(f"{source.member} in the archive is not the published file")
    except Exception:
        # Nothing vouches for the archive but its members, so a bad one must not stay to be unpacked again.
        archive.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The samples of a gzipped IDX file of bytes, checked before memory is spent on them.

    The header is two zero bytes, 0x08 for unsigned bytes, the number of dimensions and each dimension as a
    big-endian 32-bit number; the payload follows.

    Args:
        path: the file.
        shape: the shape that each sample must have; ``()`` for labels.

    Returns:
        (S, *shape) bytes.

    Raises:
        InputError: the file is no gzip, is cut short or changed, or its header does not fit the payload or
            the shape.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = Path(folder.name) / "labels.gz"
        >>> _ = path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 5])))
        >>> read_idx(path, ()).tolist()
        [7, 5]
        >>> folder.cleanup()

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
    """
    try:
        most = _MOST_DEFLATED * path.stat().st_size
        with gzip.open(path) as stream:
            samples = _samples(path, stream.read(8 + 4 * len(shape)), shape, most)
            payload = stream.read(samples * prod(shape) + 1)  # one more, to reach the end and its checksum
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, "be a whole gzip file", f"{type(error).__name__}: {error}") from error
    if len(payload) != samples * prod(shape):
        least = "more" if len(payload) > samples * prod(shape) else f"{len(payload)} bytes"
        raise damaged(path, f"hold {samples * prod(shape)} bytes of samples as its header says", least)
    return np.frombuffer(payload, dtype=np.uint8).reshape(samples, *shape)


def _samples(path: Path, header: bytes, shape: tuple[int, ...], most: int) -> int:
    """How many samples the header of an IDX file announces."""
    magic = bytes([0, 0, 8, 1 + len(shape)])
    if header[:4] != magic or len(header) < 8 + 4 * len(shape):
        raise damaged(path, f"begin with the IDX header {magic.hex()}", header[:4].hex())
    samples, *found = (int(size) for size in np.frombuffer(header, dtype=">u4", offset=4))
    if tuple(found) != shape or samples < 1:
        required = f"hold samples of shape {shape}, at least one"
        raise damaged(path, required, f"{samples} of shape {tuple(found)}")
    if samples * prod(shape) > most:
        raise damaged(path, f"announce at most the {most} bytes that it can hold", samples * prod(shape))
    return samples
