import gzip
import hashlib
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.problems.files import Source, find, read_idx

from .idx import idx

NAME = "set/file.bin"


def md5(data):
    return "md5:" + hashlib.md5(data).hexdigest()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "set").mkdir(parents=True)
    (tmp_path / "data" / NAME).write_bytes(b"good")
    return tmp_path / "data"


def test_the_named_folder_comes_before_the_environments(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    assert find(NAME, folder) == folder / NAME
    with pytest.raises(InputError):
        find(NAME)
    monkeypatch.setenv("HOLDFAST_DATA", str(folder))
    assert find(NAME) == folder / NAME


@pytest.mark.parametrize("environment", [None, ""])
def test_a_missing_file_names_itself_and_the_remedies(environment, monkeypatch):
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)
    if environment is not None:
        monkeypatch.setenv("HOLDFAST_DATA", environment)
    with pytest.raises(InputError, match=r"set/file.bin .*'no folder'.*--data-dir or HOLDFAST_DATA\.$"):
        find(NAME)
    with pytest.raises(InputError, match=r"--data-dir or HOLDFAST_DATA, or set download: true"):
        find(NAME, downloadable=True)


@pytest.mark.parametrize("mark", [" ", "*"])
def test_a_listed_digest_must_match(folder, mark):
    sums = folder / "SHA256SUMS"
    sums.write_text(f"{'0' * 64} {mark}set/other.bin\n{hashlib.sha256(b'good').hexdigest()} {mark}{NAME}\n")
    assert find(NAME, folder) == folder / NAME
    (folder / NAME).write_bytes(b"evil")
    with pytest.raises(InputError, match=r"file.bin must have the digest listed in SHA256SUMS"):
        find(NAME, folder)


def test_a_file_that_is_not_listed_needs_no_digest(folder):
    (folder / "SHA256SUMS").write_text("nonsense\n\n")
    assert find(NAME, folder) == folder / NAME


def test_a_download_is_kept_in_the_cache(site, cache, no_data):
    served, address = site
    (served / "file.bin").write_bytes(b"good")
    source = Source(address + "file.bin", md5(b"good"))
    assert find(NAME, None, source) == cache / NAME
    (served / "file.bin").unlink()
    assert find(NAME, None, source).read_bytes() == b"good"


def test_a_file_at_hand_is_not_downloaded(folder, cache):
    assert find(NAME, folder, Source("http://nowhere.invalid/file.bin", md5(b"other"))) == folder / NAME
    assert not cache.exists()


def test_a_download_of_something_else_is_refused_and_not_kept(site, cache, no_data):
    served, address = site
    (served / "file.bin").write_bytes(b"evil")
    with pytest.raises(InputError, match=r"set/file.bin must be downloadable"):
        find(NAME, None, Source(address + "file.bin", md5(b"good")))
    assert not (cache / NAME).exists()


def test_a_damaged_cache_is_mended(site, cache, no_data):
    served, address = site
    (served / "file.bin").write_bytes(b"good")
    (cache / "set").mkdir(parents=True)
    (cache / NAME).write_bytes(b"evil")
    assert find(NAME, None, Source(address + "file.bin", md5(b"good"))).read_bytes() == b"good"


def test_an_address_without_the_file_is_reported(site, cache, no_data):
    with pytest.raises(InputError, match=r"set/file.bin must be downloadable.*404"):
        find(NAME, None, Source(site[1] + "file.bin", md5(b"good")))


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_members_of_an_archive_are_unpacked_one_by_one(site, cache, no_data):
    served, address = site
    zipped(served / "all.zip", {"file.bin": b"good", "other.bin": b"too", "unasked.bin": b""})
    url = address + "all.zip"
    assert find(NAME, None, Source(url, md5(b"good"), "file.bin")).read_bytes() == b"good"
    (served / "all.zip").unlink()  # the second comes from the archive in the cache
    assert find("set/other.bin", None, Source(url, md5(b"too"), "other.bin")).read_bytes() == b"too"
    assert not (cache / "set" / "unasked.bin").exists()


@pytest.mark.parametrize("bad", [{"file.bin": b"evil"}, {"other.bin": b"good"}, None])
def test_a_bad_archive_is_refused_and_does_not_stay(site, cache, no_data, bad):
    served, address = site
    source = Source(address + "all.zip", md5(b"good"), "file.bin")
    if bad is None:
        (served / "all.zip").write_bytes(b"no archive")
    else:
        zipped(served / "all.zip", bad)
    with pytest.raises(InputError, match=r"set/file.bin must be downloadable"):
        find(NAME, None, source)
    zipped(served / "all.zip", {"file.bin": b"good"})
    assert find(NAME, None, source).read_bytes() == b"good"


@pytest.mark.parametrize("shape", [(), (2,), (3, 2)])
def test_idx_files_are_read_as_they_were_written(tmp_path, shape):
    array = np.random.default_rng(1).integers(0, 256, (5, *shape), dtype=np.uint8)
    (tmp_path / "x.gz").write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(tmp_path / "x.gz", shape), array)


GOOD = idx(np.arange(12).reshape(3, 2, 2))


@pytest.mark.parametrize(
    "content",
    {
        "not gzip": b"plain",
        "nothing": b"",
        "cut short": GOOD[:-9],
        "without its checksum": GOOD[:-8],
        "a changed checksum": GOOD[:-8] + bytes(8),
        "no header": gzip.compress(b""),
        "half a header": gzip.compress(bytes([0, 0, 8, 3, 0])),
        "another type": gzip.compress(struct.pack(">HBB3I", 0, 13, 3, 3, 2, 2) + bytes(12)),
        "other dimensions": gzip.compress(struct.pack(">HBB2I", 0, 8, 2, 3, 4) + bytes(12)),
        "another shape": idx(np.zeros((3, 4, 1))),
        "no samples": idx(np.zeros((0, 2, 2))),
        "too few bytes": gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 3, 2, 2) + bytes(11)),
        "too many bytes": gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 3, 2, 2) + bytes(13)),
        "a lie of 16 GiB": gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2, 2) + bytes(12)),
    }.items(),
    ids=lambda item: item[0],
)
def test_damaged_idx_files_are_refused_by_name(tmp_path, content):
    (tmp_path / "x.gz").write_bytes(content[1])
    with pytest.raises(InputError, match=r"x\.gz must .* damaged"):
        read_idx(tmp_path / "x.gz", (2, 2))


@given(position=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_is_noticed_or_harmless(tmp_path_factory, position, bit):
    content = bytearray(GOOD)
    content[position] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped.gz"
    path.write_bytes(content)
    complaint = ""
    try:
        np.testing.assert_array_equal(read_idx(path, (2, 2)), np.arange(12).reshape(3, 2, 2))
    except InputError as error:
        complaint = str(error)
    assert not complaint or "flipped.gz" in complaint


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(InputError, match="FileNotFoundError"):
        read_idx(tmp_path / "none.gz", ())
