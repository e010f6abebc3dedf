"""The doctor: each misconfiguration is planted for real, and named with its cause and next step."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.settings import SETTINGS
from core.doors.doctor import FAULT, NOTE, Finding, Place, examine
from core.doors.doctor.checks import CHECKS
from core.memory.backup import MARK
from core.memory.store import Store
from tests.serving import ROOT, free_port

VISITOR = "ann"
PAST = ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
Plant = Callable[[Place], Place]


def quiet(fraction: float | None, text: str) -> None:
    """Progress goes nowhere."""


@pytest.fixture
def sound(tmp_path: Path) -> Place:
    """A home with two models, a program's folder of its own, and settings that are right."""
    home, root = tmp_path / "home", tmp_path / "root"
    with closing(Store(home)) as store:
        for content in (b"first", b"second"):
            with store.blobs.writer() as writer:
                writer.write(content)
                blob = writer.commit()
            store.add_artifact(VISITOR, **vars(blob), format="onnx", name="model")
    (root / ".streamlit").mkdir(parents=True)
    shutil.copy(ROOT / "requirements.txt", root)
    return Place(home, root, {"PORTOLAN_PORT": str(free_port()), "PATH": os.environ["PATH"]})


def found(place: Place, *names: str) -> list[Finding]:
    """Make the named checks."""
    return examine(place, {name: CHECKS[name] for name in names}, quiet)


def setting(**values: str) -> Plant:
    """Plant variables."""
    return lambda place: replace(place, environment={**place.environment, **values})


def sql(*statements: str) -> Plant:
    """Plant a change of the database."""

    def plant(place: Place) -> Place:
        with closing(sqlite3.connect(place.home / "portolan.db")) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()
        return place

    return plant


def corrupt(place: Place) -> Place:
    """Overwrite pages of the database."""
    content = bytearray((place.home / "portolan.db").read_bytes())
    content[4096:60_000] = os.urandom(len(content[4096:60_000]))
    (place.home / "portolan.db").write_bytes(content)
    return place


def headless(place: Place) -> Place:
    """Overwrite the beginning of the database."""
    (place.home / "portolan.db").write_bytes(b"no database at all" * 300)
    return place


def blob(place: Place, act: Callable[[Path], object]) -> Place:
    """Do something to a stored file."""
    act(sorted(path for path in (place.home / "blobs" / "objects").rglob("*") if path.is_file())[0])
    return place


def elsewhere(place: Place) -> Place:
    """Put the home below a file."""
    (place.root / "file").touch()
    return replace(place, home=place.root / "file" / "home")


def no_files_system(place: Place) -> Place:
    """Put the home where no files can be made."""
    return replace(place, home=Path("/proc/portolan"))


def open_to_others(place: Place) -> Place:
    """Let others read the database."""
    (place.home / "portolan.db").chmod(0o644)
    return place


def half_restored(place: Place) -> Place:
    """Leave the mark of a restore."""
    (place.home / MARK).touch()
    return place


def other_database(place: Place) -> Place:
    """Lay the files beside a database that is not theirs."""
    (place.home / "blobs" / "database").write_text("another")
    return place


def pinned(place: Place) -> Place:
    """Name another version of torch, and a package that is not there."""
    file = place.root / "requirements.txt"
    file.write_text(re.sub(r"torch==\S+", "torch==1.0.0", file.read_text(), count=1) + "\nabsent-package==1.2\n")
    return place


def secret(place: Place) -> Place:
    """Leave secrets open to others."""
    (place.root / ".streamlit" / "secrets.toml").touch(0o644)
    return place


def certificate(place: Place, name: str, validity: tuple[str, ...] = ("-days", "90")) -> dict[str, str]:
    """Have OpenSSL make a certificate of its own authority, and its key."""
    cert, key, conf = (place.root / name for name in ("cert.pem", "key.pem", "openssl.cnf"))
    asked, policy = place.root / "asked.pem", "[any]\ncommonName = supplied\n[names]\nsubjectAltName = DNS:{}\n"
    (place.root / "index.txt").write_text("")
    conf.write_text(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nrand_serial = yes\nnew_certs_dir = .\npolicy = any\n"
        "default_md = sha256\nx509_extensions = names\n" + policy.format(name)
    )
    key_words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test"]
    for words in (
        ["req", "-new", *key_words, "-keyout", key, "-out", asked],
        [
            "ca",
            "-batch",
            "-selfsign",
            "-config",
            conf,
            "-keyfile",
            key,
            "-in",
            asked,
            "-out",
            cert,
            "-notext",
            *validity,
        ],
    ):
        subprocess.run(["openssl", *words], cwd=place.root, check=True, capture_output=True)
    return {"PORTOLAN_TLS_CA": str(cert), "PORTOLAN_TLS_CERT": str(cert), "PORTOLAN_TLS_KEY": str(key)}


def expired(place: Place) -> Place:
    """Plant a certificate whose days are over."""
    return setting(**certificate(place, "localhost", PAST))(place)


def key_open_to_others(place: Place) -> Place:
    """Plant a key that others may read."""
    files = certificate(place, "localhost")
    Path(files["PORTOLAN_TLS_KEY"]).chmod(0o644)
    return setting(**files)(place)


def key_of_another(place: Place) -> Place:
    """Plant a key that is not the certificate's."""
    files = certificate(place, "localhost")
    cert = Path(files["PORTOLAN_TLS_CERT"]).read_bytes()
    certificate(place, "localhost")
    Path(files["PORTOLAN_TLS_CERT"]).write_bytes(cert)
    return setting(**files)(place)


def other_host(place: Place) -> Place:
    """Serve with a certificate for another host."""
    files = certificate(place, "other.example")
    lines = f'[server]\nsslCertFile = "{files["PORTOLAN_TLS_CERT"]}"\nsslKeyFile = "{files["PORTOLAN_TLS_KEY"]}"\n'
    (place.root / ".streamlit" / "config.toml").write_text(lines)
    return setting(PORTOLAN_HOSTS="models.example")(place)


def other_bucket(place: Place) -> Place:
    """Name a folder in which another server keeps its files."""
    folder = place.home.parent / "shared" / "blobs"
    folder.mkdir(parents=True)
    (folder / "database").write_text("another")
    return setting(PORTOLAN_BLOBS=f"file://{folder.parent}")(place)


PLANTS: dict[str, tuple[Plant, str, str]] = {
    "a number that is none": (setting(PORTOLAN_QUOTA_GB="much"), "settings", "PORTOLAN_QUOTA_GB is 'much'"),
    "a port that is none": (setting(PORTOLAN_PORT="99999"), "settings", "PORTOLAN_PORT is '99999'"),
    "a typo": (setting(PORTOLAN_MAX_UPLOAD_GB="2"), "settings", "Did you mean PORTOLAN_MAX_UPLOAD_MB?"),
    "secrets open to others": (secret, "secrets", "may read"),
    "a home below a file": (elsewhere, "home", "is a file"),
    "a home that takes no files": (no_files_system, "home", "cannot be written"),
    "a database open to others": (open_to_others, "home", "chmod go="),
    "half a restore": (half_restored, "home", "in part"),
    "a full disk": (lambda place: replace(place, reserve_bytes=1 << 60), "disk", "nearly full"),
    "a small quota": (setting(PORTOLAN_QUOTA_GB="0.000000001"), "disk", "nothing new can be stored"),
    "a corrupt database": (corrupt, "database", "damaged"),
    "no database": (headless, "database", "no database"),
    "a newer schema": (
        sql("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('portolan', 'm999_x', '')"),
        "database",
        "newer Portolan",
    ),
    "files of another database": (other_database, "database", "does not know"),
    "a missing file": (lambda place: blob(place, lambda path: path.unlink()), "files", "1 of 2 files"),
    "a file of other bytes": (lambda place: blob(place, lambda path: path.write_bytes(b"x")), "files", "other bytes"),
    "a clock behind": (sql(f"UPDATE artifact SET created = {time.time() + 1e6}"), "clock", "hours behind"),
    "an outer address": (setting(PORTOLAN_ADDRESS="0.0.0.0"), "hosts", "PORTOLAN_HOSTS"),
    "strangers let in": (setting(PORTOLAN_HOSTS="models.example"), "hosts", "Without sign-in"),
    "half a sign-in": (setting(PORTOLAN_OIDC_ISSUER="https://id.example"), "hosts", "configured in part"),
    "an address of no machine": (setting(PORTOLAN_ADDRESS="192.0.2.1"), "port", "cannot be used"),
    "an expired certificate": (expired, "certificates", "expired on"),
    "a key open to others": (key_open_to_others, "certificates", "may read the key"),
    "a key of another": (key_of_another, "certificates", "does not fit its key"),
    "a certificate for another host": (other_host, "certificates", "not for models.example"),
    "a certificate that is not there": (setting(PORTOLAN_TLS_CA="/no/ca.pem"), "certificates", "no certificate file"),
    "a scheduler that is unsafe": (setting(PORTOLAN_SCHEDULER="tcp://192.0.2.1:8786"), "scheduler", "unprotected"),
    "a bucket that cannot be used": (setting(PORTOLAN_BLOBS="file:///proc/nowhere"), "bucket", "cannot be used"),
    "a bucket of another database": (other_bucket, "bucket", "belong to the database another"),
    "walls that do not hold": (
        lambda place: replace(place, worker="tests.hostile.weak"),
        "sandbox",
        "these walls do not hold",
    ),
    "another torch": (pinned, "packages", "tested with 1.0.0"),
    "a package that is missing": (pinned, "packages", "absent-package is not installed"),
}


def test_a_sound_installation_has_no_fault(sound: Place) -> None:
    assert [one for one in found(sound, *CHECKS) if one.level == FAULT] == []


@pytest.mark.parametrize("name", PLANTS)
def test_each_misconfiguration_is_named(name: str, sound: Place) -> None:
    plant, check, words = PLANTS[name]
    before = found(sound, check)
    named = [one for one in found(plant(sound), check) if one not in before]
    assert any(words in f"{one.message} {one.next_step}" and one.level == FAULT for one in named), named
    for one in named:
        assert one.message.endswith((".", "?"))
        assert one.next_step
        assert "could not be looked at" not in one.message or name in ("a number that is none", "a port that is none")


def test_a_port_that_is_taken_and_a_scheduler_that_is_silent(sound: Place) -> None:
    with socket.create_server(("127.0.0.1", int(sound.environment["PORTOLAN_PORT"]))):
        (finding,) = found(sound, "port")
        assert "Address already in use" in finding.message
    silent = setting(PORTOLAN_SCHEDULER=f"tcp://127.0.0.1:{free_port()}")(sound)
    (finding,) = found(silent, "scheduler")
    assert "does not answer" in finding.message


def test_missing_programs_are_notes(sound: Place) -> None:
    findings = found(replace(sound, environment={"PATH": "/nowhere"}), "programs")
    assert [one.level for one in findings] == [NOTE] * 3


def test_a_bucket_that_lacks_files_is_noted(sound: Place, tmp_path: Path) -> None:
    (finding,) = found(setting(PORTOLAN_BLOBS=f"file://{tmp_path}/shared")(sound), "bucket")
    assert (finding.level, finding.message[:8]) == (NOTE, "2 of 2 f")
    assert list((tmp_path / "shared" / "blobs").iterdir()) == []


def test_the_command_names_all_that_is_wrong_at_once(sound: Place) -> None:
    plants = ("a typo", "a database open to others", "a missing file", "a clock behind", "an outer address")
    place = sound
    for name in plants:
        place = PLANTS[name][0](place)
    environment = {**os.environ, **place.environment, "PORTOLAN_HOME": str(place.home), "PORTOLAN_QUOTA_GB": "-1"}
    run = subprocess.run(
        [sys.executable, "-m", "core", "doctor", "--json"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 1, run.stderr
    said = json.loads(run.stdout)
    named = {one["check"] for one in said["findings"] if one["level"] == FAULT}
    assert named >= {"settings", "home", "files", "clock", "hosts"}
    environment = {**os.environ, "PORTOLAN_HOME": str(place.home.parent / "new"), "PORTOLAN_PORT": str(free_port())}
    run = subprocess.run(
        [sys.executable, "-m", "core", "doctor"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout
    assert "no faults." in run.stdout
    assert not (place.home.parent / "new").exists()


def test_a_command_refuses_a_setting_that_is_no_number(tmp_path: Path) -> None:
    environment = {**os.environ, "PORTOLAN_MAX_UPLOAD_MB": "two"}
    words = [sys.executable, "-m", "core", "inspect", str(tmp_path / "any"), "--json"]
    run = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert "PORTOLAN_MAX_UPLOAD_MB is 'two'" in json.loads(run.stdout)["error"]["message"]


def test_every_setting_is_in_the_table_and_in_the_readme() -> None:
    sources = [*(ROOT / "core").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]
    written = {name for path in sources for name in re.findall(r'"(PORTOLAN_[A-Z_]+)"', path.read_text())}
    assert len(written) > 5
    assert written <= set(SETTINGS)
    readme = (ROOT / "README.md").read_text()
    table = readme[readme.index("## Settings") : readme.index("## Samples")]
    assert set(re.findall(r"`(PORTOLAN_[A-Z_]+)`", table)) >= set(SETTINGS) - {"PORTOLAN_CHROMIUM"}
