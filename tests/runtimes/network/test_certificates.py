"""Certificates: damage is told before anything runs, members link over TLS, and strangers do not."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
import zenoh
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from holdfast import InputError
from holdfast.runtimes.network import certificates
from holdfast.runtimes.network.identity import COORDINATOR, Identity, make_keys


@pytest.fixture
def made(tmp_path):
    make_keys(tmp_path / "keys", ["alice", "bob"])
    return tmp_path / "keys"


def encrypted(path):
    key = Identity.fresh("x").key
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))


def rsa(path):
    key = generate_private_key(65537, 2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


DAMAGES = {
    "no key": ("key.pem", lambda path: path.unlink(), "be a readable file"),
    "no certificate": ("cert.pem", lambda path: path.unlink(), "be a readable file"),
    "no authority": ("ca.crt", lambda path: path.unlink(), "be a readable file"),
    "no coordinator": ("coordinator.key", lambda path: path.unlink(), "be a readable file"),
    "a key cut short": ("key.pem", lambda path: path.write_bytes(path.read_bytes()[:60]), "an undamaged private key"),
    "a key with a password": ("key.pem", encrypted, "an undamaged private key"),
    "a key of another kind": ("key.pem", rsa, "be the key of cert.pem"),
    "an empty certificate": ("cert.pem", lambda path: path.write_bytes(b""), "an undamaged certificate"),
    "a coordinator that is no key": ("coordinator.key", lambda path: path.write_bytes(b"\xff"), "hexadecimal"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told(made, damage):
    file, inflict, words = DAMAGES[damage]
    inflict(made / "alice" / file)
    with pytest.raises(InputError, match=words) as told:
        Identity.load(made / "alice")
    assert file in told.value.field


def test_no_letter_of_a_certificate_can_be_changed(made):
    path = made / "alice" / "cert.pem"
    whole = path.read_text()
    letters = range(whole.index("\n") + 1, whole.rindex("\n-----END") - 64)
    for at in [at for at in letters if whole[at] != "\n"]:
        path.write_text(whole[:at] + ("A" if whole[at] != "A" else "B") + whole[at + 1 :])
        with pytest.raises(InputError):
            Identity.load(made / "alice")


def test_the_key_of_another_member(made):
    shutil.copy(made / "bob" / "key.pem", made / "alice" / "key.pem")
    with pytest.raises(InputError, match=r"be the key of cert\.pem"):
        Identity.load(made / "alice")


def test_a_certificate_of_another_authority(made, tmp_path):
    make_keys(tmp_path / "others", [])
    shutil.copy(tmp_path / "others" / "ca.crt", made / "alice" / "ca.crt")
    with pytest.raises(InputError, match="be issued by the authority"):
        Identity.load(made / "alice")


@pytest.mark.parametrize("days", [-2, 826])
def test_a_certificate_outside_its_days(made, monkeypatch, days):
    now = certificates._now() + timedelta(days=days)
    monkeypatch.setattr(certificates, "_now", lambda: now)
    with pytest.raises(InputError, match="Check the clock") as told:
        Identity.load(made / "alice")
    assert f"{now:%Y-%m-%d}" in str(told.value)


def test_a_clock_that_is_hours_late_is_forgiven(made, monkeypatch):
    now = certificates._now() - timedelta(hours=12)
    monkeypatch.setattr(certificates, "_now", lambda: now)
    assert Identity.load(made / "alice").name == "alice"


def session(tls, **settings):
    config = zenoh.Config()
    common = {"scouting/multicast/enabled": False, "connect/timeout_ms": 2000, "connect/exit_on_failure": True}
    for key, value in {**common, **settings, "transport/link/tls": tls}.items():
        config.insert_json5(key, json.dumps(value))
    return zenoh.open(config)


def dial(tls, host, port):
    return session(tls, **{"mode": "peer", "listen/endpoints": [], "connect/endpoints": [f"tls/{host}:{port}"]})


@pytest.fixture(scope="module")
def listening(tmp_path_factory):
    """A folder of keys, the id of a router that uses the coordinator's, and its port."""
    folder = tmp_path_factory.mktemp("tls") / "keys"
    make_keys(folder, ["alice"])
    settings = {"mode": "router", "listen/endpoints": ["tls/127.0.0.1:0"], "adminspace/enabled": True}
    with session(Identity.load(folder / COORDINATOR).tls(), **settings) as router:
        about = next(iter(router.get(f"@/{router.info.zid()}/router"))).ok.payload.to_string()
        yield folder, router.info.zid(), json.loads(about)["locators"][0].rsplit(":", 1)[1]


def test_members_link_over_tls(listening):
    folder, router, port = listening
    with dial(Identity.load(folder / "alice").tls(), "127.0.0.1", port) as node:
        assert list(node.info.routers_zid()) == [router]


def strangers_keys(folder, tmp_path):
    return Identity.load(tmp_path / "others" / "alice").tls(), "127.0.0.1"


def strangers_keys_and_our_authority(folder, tmp_path):
    return {**strangers_keys(folder, tmp_path)[0], "root_ca_certificate": str(folder / "ca.crt")}, "127.0.0.1"


def a_host_that_no_certificate_names(folder, tmp_path):
    return Identity.load(folder / "alice").tls(), "0.0.0.0"  # which is this machine


def test_only_the_name_is_wrong_with_a_host_that_no_certificate_names(listening, tmp_path):
    tls, host = a_host_that_no_certificate_names(listening[0], tmp_path)
    with dial({**tls, "verify_name_on_connect": False}, host, listening[2]) as node:
        assert list(node.info.routers_zid()) == [listening[1]]


@pytest.mark.parametrize(
    "attempt", [strangers_keys, strangers_keys_and_our_authority, a_host_that_no_certificate_names]
)
def test_strangers_get_no_link(listening, tmp_path, attempt):
    folder, _, port = listening
    make_keys(tmp_path / "others", ["alice"])
    with pytest.raises(zenoh.ZError, match="connect"):
        dial(*attempt(folder, tmp_path), port)
