import functools
import os
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest


@pytest.fixture
def no_data(monkeypatch):
    """No data folder in the environment."""
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)


@pytest.fixture
def real_data():
    """The folder of real data, or a skip."""
    if not os.environ.get("HOLDFAST_DATA"):
        pytest.skip("needs the real data: set HOLDFAST_DATA")
    return Path(os.environ["HOLDFAST_DATA"])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of pooch that is this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(pooch, "os_cache", lambda name: folder / name)
    return folder / "holdfast"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder and the loopback address that serves it."""
    monkeypatch.setenv("NO_PROXY", "*")
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
