"""Small things about files: names that are safe, writing all or nothing, and values that JSON can hold."""

from __future__ import annotations

import hashlib
import math
import os
import re
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["plain", "safe_name", "write_atomically"]


def safe_name(name: str) -> str:
    """A file name for any name: itself where it is harmless, else its harmless part and a digest of it.

    The digest keeps two names apart that differ only in what is not harmless.

    Example:
        >>> safe_name("trimmed_mean")
        'trimmed_mean'
        >>> safe_name("../a b"), safe_name("../a/b")
        ('a-b-2c2c79', 'a-b-8e7e11')
    """
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:60]
    if kept and kept == name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{kept or 'name'}-{digest}"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader, or a kill, meets the old file or the new one but never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # a temporary file is the owner's alone, a result is not
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def plain(value: Any) -> Any:
    """The value as JSON can hold it: arrays become lists of numbers, what is not finite becomes null.

    Example:
        >>> import numpy as np
        >>> plain({"loss": np.float64("nan"), "nodes": np.arange(3), "at": Path("a")})
        {'loss': None, 'nodes': [0, 1, 2], 'at': 'a'}
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
