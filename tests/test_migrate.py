"""A move ends with a package that was run: its gates see planted faults, its zip is the same each time, and one changed byte is found."""

import json
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import yaml
from onnx import numpy_helper

from benchmarks.faults import Exports
from core.answers import package
from core.answers.package import Members, evidence
from core.border import archives
from core.domain.codec import decode, encode
from core.domain.conversion import Conversion
from core.domain.migration import Budgets, MigrateRequest, Migration
from core.domain.report import Count, Verdict
from core.domain.split import By, Split
from core.domain.work import Data, Subject
from core.doors.commands import main
from core.memory.blobs import Blobs
from core.proof import paired
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.verbs import budgets, migrate

SAMPLES = Path(__file__).parent.parent / "sample_models"
PENGUINS = SAMPLES / "penguins" / "model.skops"
FASHION = SAMPLES / "fashion_cnn" / "model.onnx"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Tools:
    """Tools whose memory holds the exports, so that each is made once."""
    return Tools(Blobs(tmp_path_factory.mktemp("blobs")), sandbox, lambda f, t: None, threading.Event(), Exports())


def asked(tools: Tools, path: Path, format: str, target: str = "onnxruntime") -> MigrateRequest:
    """Name a file for the verb."""
    blob = tools.blobs.put(path)
    return MigrateRequest(Subject(blob.sha256, blob.size, format, path.name), target)


@pytest.fixture(scope="module")
def moved(kit: Tools) -> Migration:
    """The penguins pipeline, moved to ONNX Runtime."""
    return migrate.run(kit, asked(kit, PENGUINS, "skops"))


@pytest.fixture
def unpacked(kit: Tools, moved: Migration, tmp_path: Path) -> Path:
    """The package in an empty folder."""
    assert moved.bundle
    with zipfile.ZipFile(kit.blobs.path(moved.bundle.sha256)) as archive:
        archive.extractall(tmp_path / "package")
    return tmp_path / "package"


def test_a_pipeline_with_texts_is_served_as_the_engine_answers(moved: Migration) -> None:
    assert [str(gate.verdict) for gate in moved.gates] == ["PASS"] * 7
    served = [gate for gate in moved.gates if gate.name.startswith("Served")]
    assert [gate.max_abs for gate in served] == [0.0, 0.0]
    assert all(gate.samples >= 10 for gate in served)
    assert any("Docker" in sentence for sentence in moved.not_run)
    assert decode(Migration, encode(moved)) == moved


def test_equal_work_gives_an_equal_zip(kit: Tools, moved: Migration) -> None:
    again = migrate.run(kit, asked(kit, PENGUINS, "skops"))
    assert again.bundle == moved.bundle


def test_the_package_passes_its_own_tests_elsewhere(unpacked: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "unittest"], cwd=unpacked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Ran 6 tests" in done.stderr


def test_fifty_of_fifty_changed_bytes_are_found(unpacked: Path) -> None:
    draw = random.Random(20261130)
    files = [path for path in sorted(unpacked.rglob("*")) if path.is_file() and path.name != "verify.py"]
    assert verified(unpacked) == [0]
    changes = []
    for path in (*files, *draw.choices(files, k=50 - len(files))):
        data = path.read_bytes()
        place = draw.randrange(len(data))
        changes.append((path, place, data[place] ^ (1 << draw.randrange(8))))
    ends = [place for place, byte in enumerate((unpacked / "SHA256SUMS").read_bytes()) if byte == 10]
    changes += [(unpacked / "SHA256SUMS", place, 11) for place in ends]  # what Python too takes for the end of a line
    assert verified(unpacked, *changes) == [0] * len(changes)


def verified(folder: Path, *changes: tuple[Path, int, int]) -> list[int]:
    """Return whether the folder verifies as it is; with changes, one at a time, how often it did all the same."""
    script = (
        "import runpy,sys,json,contextlib,io,pathlib\n"
        "mod = runpy.run_path('verify.py')\n"
        "card = json.loads(pathlib.Path('card.json').read_text())\n"
        "def good():\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        try: return mod['intact'](card)\n"
        "        except (ValueError, TypeError): return False\n"
        "out = []\n"
        "for name, place, value in json.loads(sys.argv[1]):\n"
        "    path = pathlib.Path(name); before = path.read_bytes(); now = bytearray(before); now[place] = value\n"
        "    path.write_bytes(now); out.append(int(good())); path.write_bytes(before)\n"
        "print(json.dumps(out or [0 if good() else 1]))\n"
    )
    told = json.dumps([(str(path), place, value) for path, place, value in changes])
    done = subprocess.run([sys.executable, "-c", script, told], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[int] = json.loads(done.stdout)
    return found


WATCH = """
import json, sys, time
import numpy as np
from starlette.testclient import TestClient
import drift, predict, server

rng = np.random.default_rng(1)
names = [name for name, spec in predict.INPUTS.items() if spec["dtype"].startswith("float")]
known = {name: (float(rng.normal(9, 2, 100).mean()), 2.0, 100) for name in names}
def moved(shift):
    watch = drift.Drift(known)
    draws = {name: rng.normal(9, 2, (drift.WINDOW, 1)) for name in known}
    draws[names[1]] += shift
    return list(watch.add(draws))
still, shifted = [moved(0) for _ in range(20)], [moved(2.0) for _ in range(20)]
predict.begin_log()
long = drift.Drift(known)
for _ in range(2):
    long.add({name: rng.normal(9, 2, (130, 1)) for name in known})

meta = json.loads(str(np.load("golden.npz")["meta"]))
place = next(n for n, case in enumerate(meta["cases"]) if case["name"] == "data")
with np.load("golden.npz") as golden:
    arrays = {name: golden[f"c{place}/in{i}"] for i, name in enumerate(meta["inputs"])}
feature = next(name for name, one in arrays.items() if one.dtype.kind == "f")
arrays[feature] = arrays[feature] + np.nanstd(arrays[feature]).astype(arrays[feature].dtype)
fine = np.all([np.isfinite(one).all(axis=1) if one.dtype.kind == "f" else np.ones(len(one), bool) for one in arrays.values()], axis=0)
body = {"inputs": [{"name": n, "datatype": server.TYPES[predict.INPUTS[n]["dtype"]], "shape": list(a[fine].shape), "data": a[fine].reshape(-1).tolist()} for n, a in arrays.items()]}
with TestClient(server.app) as client:
    while client.get("/v2/health/ready").status_code != 200:
        time.sleep(0.05)
    for _ in range(3):
        assert client.post(f"/v2/models/{predict.NAME}/infer", json=body).status_code == 200
    text = client.get("/metrics").text
line = next(one for one in text.splitlines() if one.startswith("model_input_shift") and feature in one)
print(json.dumps([sum(map(bool, still)), sum(one == names[1:2] for one in shifted), float(line.split()[-1])]))
"""


def test_an_input_that_moves_by_one_standard_deviation_is_told(kit: Tools, tmp_path: Path) -> None:
    data = PENGUINS.parent / "test.csv"
    request = replace(asked(kit, PENGUINS, "skops"), data=Data(kit.blobs.put(data).sha256, data.name))
    found = migrate.run(kit, request)
    assert found.bundle
    with zipfile.ZipFile(kit.blobs.path(found.bundle.sha256)) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run([sys.executable, "-c", WATCH], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"samples": 260,' in done.stderr, "a window ends with the call that fills it, and says how many it held"
    still, shifted, served = json.loads(done.stdout)
    assert (still, shifted) == (0, 20)
    assert served == pytest.approx(1, abs=0.1)


def test_tools_of_others_find_what_they_read(unpacked: Path) -> None:
    flavour = yaml.safe_load((unpacked / "MLmodel").read_text())["flavors"]["python_function"]
    assert (unpacked / f"{flavour['loader_module']}.py").exists()
    assert "-r requirements.txt" in yaml.safe_load((unpacked / flavour["env"]).read_text())["dependencies"]
    script = "import mlflow_loader as m, json, numpy as np, predict\nloaded = m._load_pyfunc('.')\nspecs = predict.INPUTS\nx = {n: np.full((2, 1), 'male' if s['dtype'] == 'str' else 1, object if s['dtype'] == 'str' else s['dtype']) for n, s in specs.items()}\nimport pandas as pd\ny = pd.DataFrame({n: a.reshape(-1) for n, a in x.items()})\nassert all((loaded.predict(x)[n] == loaded.predict(y)[n]).all() for n in predict.OUTPUTS)"
    done = subprocess.run([sys.executable, "-c", script], cwd=unpacked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if shutil.which("systemd-analyze"):
        unit = next(unpacked.glob("*.service"))
        text = unit.read_text().replace(f"/opt/{unit.stem}/env/bin/python", sys.executable)
        unit.write_text(text.replace(f"/opt/{unit.stem}", str(unpacked)))
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def clothes(kit: Tools) -> MigrateRequest:
    """A move on labelled data, of a file with a stranger's name."""
    test, request = FASHION.parent / "test.npz", asked(kit, FASHION, "onnx")
    data = Data(kit.blobs.put(test).sha256, test.name)
    return replace(request, subject=replace(request.subject, name='<script>"a`: #\n.onnx'), data=data)


@pytest.fixture(scope="module")
def kept(kit: Tools, clothes: MigrateRequest) -> Migration:
    """The same with budgets that are wide enough."""
    return migrate.run(kit, replace(clothes, budgets=Budgets(0.01, 1e5, 1e5)))


def test_the_evidence_is_what_its_readers_take(kit: Tools, kept: Migration) -> None:
    """The name is a stranger's: it is text on the page, in YAML and in JSON, and nothing else."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = kept
    assert found.bundle
    assert found.signoff
    with zipfile.ZipFile(kit.blobs.path(found.bundle.sha256)) as archive:
        page, card, told, report = (archive.read(one).decode() for one in ("SIGNOFF.html", "MODEL_CARD.md", "bom.cdx.json", "report.json"))  # fmt: skip
        files = set(archive.namelist())
    assert "PASS. Ready to move." in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert kit.blobs.path(found.signoff.sha256).read_text() == page

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(told) is None
    model = json.loads(told)["components"][0]
    assert model["hashes"] == [{"alg": "SHA-256", "content": found.artifact.sha256}]
    assert model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["value"] == "0.94"

    made = kit.memory.known("convert", found.export, Conversion)
    assert made
    assert made.quality
    by_area = replace(made.quality, after=replace(made.quality.after, metric="Area under the ROC curve"))
    assert "Area under the ROC curve on the owner" in evidence.page(found, replace(made, quality=by_area), ())

    front = yaml.safe_load(card.split("---\n")[1])
    assert front["library_name"] == "onnx"
    assert front["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.94}]
    assert "[More Information Needed]" in card
    signed = {one["name"] for one in json.loads(report)["files"]}
    assert files - signed == {"SIGNOFF.html", "MODEL_CARD.md", "bom.cdx.json", "report.json", "SHA256SUMS"}


def scaled(members: Members, folder: Path) -> Members:
    """Return the files with the first weight tensor of the model scaled by 1.01."""
    name = next(one for one in members if one.endswith(".onnx"))
    model = onnx.load(str(members[name]))
    largest = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    array = numpy_helper.to_array(largest)
    largest.CopyFrom(numpy_helper.from_array((array * 1.01).astype(array.dtype), largest.name))
    onnx.save(model, folder / "scaled.onnx")
    return {**members, name: folder / "scaled.onnx"}


def careless(members: Members, folder: Path) -> Members:
    """Return the files with a server that rounds what it answers."""
    code = str(members["server.py"])
    return {**members, "server.py": code.replace("array.reshape(-1).tolist()", "array.round(3).reshape(-1).tolist()")}


def lax(members: Members, folder: Path) -> Members:
    """Return the files with a server that writes NaN as Python does."""
    code = str(members["server.py"])
    changed = code.replace('array.dtype.kind == "f" and not np.isfinite(array).all()', "False")
    changed = changed.replace("allow_nan=False", "allow_nan=True").replace(", parse_constant=no_number", "")
    return {**members, "server.py": changed}


def deaf(members: Members, folder: Path) -> Members:
    """Return the files with a server that does not start."""
    return {**members, "server.py": "raise SystemExit(3)\n"}


@pytest.mark.parametrize(
    ("plant", "gate", "sample"),
    [
        (scaled, "The package's own tests", FASHION),
        (careless, "Served answers, as JSON", FASHION),
        (lax, "NaN and infinity", PENGUINS),
        (deaf, "Served answers", FASHION),
    ],
)
def test_a_planted_fault_is_stopped_by_the_gate_for_it(
    plant, gate: str, sample: Path, kit: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    honest = package.members
    monkeypatch.setattr(package, "members", lambda *given: plant(honest(*given), tmp_path))
    found = migrate.run(kit, asked(kit, sample, sample.suffix[1:]))
    assert found.verdict is Verdict.FAIL
    assert found.bundle is None
    assert next(one.name for one in found.gates if one.verdict is Verdict.FAIL) == gate


def test_budgets_are_kept_or_broken_by_what_was_counted(kit: Tools, clothes: MigrateRequest, kept: Migration) -> None:
    good = {gate.name: gate for gate in kept.gates}
    names = "Quality on your test data", "Changed predictions", "Latency (p95)", "Memory", "No new NaN or infinity"
    assert {name: str(good[name].verdict) for name in names} == dict.fromkeys(names, "PASS")
    assert good["Changed predictions"].count == Count(1000, 1000)
    assert good["Latency (p95)"].count == Count(budgets.REQUESTS, budgets.REQUESTS)
    found = migrate.run(kit, replace(clothes, budgets=Budgets(0.001, 1e-3, 1)))
    assert found.bundle is None
    broken = {gate.name: gate for gate in found.gates}
    assert [str(broken[name].verdict) for name in names[:4]] == ["NOT PROVEN", "NOT PROVEN", "FAIL", "FAIL"]
    assert "samples would settle it" in broken["Quality on your test data"].reason


def test_changed_predictions_of_groups_prove_no_more_than_as_many_groups(kit: Tools, kept: Migration) -> None:
    made = kit.memory.known("convert", kept.export, Conversion)
    assert made
    assert made.data
    assert made.quality
    assert made.quality.loss
    grouped = replace(made, data=replace(made.data, split=Split("who", By.GROUP)))
    of_50 = replace(made.quality, loss=paired.dependent(made.quality.loss, 50))
    verdicts = []
    for one in (made, replace(grouped, quality=of_50), replace(grouped, quality=None)):
        gates = {gate.name: gate for gate in budgets.on_data(one, Budgets(0.01))}
        verdicts.append(str(gates["Changed predictions"].verdict))
    assert verdicts == ["PASS", "NOT PROVEN", "NOT PROVEN"]
    assert "not independent" in gates["Changed predictions"].reason


@pytest.mark.parametrize(("late", "of", "verdict"), [(0, 58, "NOT PROVEN"), (0, 59, "PASS"), (15, 300, "NOT PROVEN"), (25, 300, "FAIL")])  # fmt: skip
def test_a_percentile_is_judged_by_the_bounds_of_what_was_counted(late: int, of: int, verdict: str) -> None:
    assert str(budgets.within([1.0] * (of - late) + [9.0] * late, 2.0, "here").verdict) == verdict


def test_a_target_without_code_gives_the_bundle_of_the_export(kit: Tools) -> None:
    found = migrate.run(kit, asked(kit, SAMPLES / "fashion_cnn" / "model.onnx", "onnx", "nnapi"))
    assert not found.packaged
    assert found.bundle
    assert found.artifact.format == "ort"
    assert "No code is generated" in found.not_run[0]


def test_command_line_writes_the_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "b.zip"
    fashion = str(SAMPLES / "fashion_cnn" / "model.onnx")
    assert main(["migrate", fashion, "--target", "triton", "-o", str(out), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "NOT PROVEN"
    assert [gate["name"] for gate in found["gates"] if gate["verdict"] != "PASS"] == ["Triton Inference Server itself"]
    with archives.walk(out) as archive:
        assert {"models/model/config.pbtxt", "server.py", "report.json", "SHA256SUMS"} <= set(archive.names)
    assert main(["migrate", str(PENGUINS), "--target", "nowhere", "-o", str(out), "--json"]) == 1
    assert main(["migrate", fashion, "--target", "triton", "-o", str(out), "--latency-ms", "-1", "--json"]) == 1
    assert "out of its range" in capsys.readouterr().out
