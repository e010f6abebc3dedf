"""Every kind of model: the form, the PMML that it is written to, and the source text all give scikit-learn's answers."""

import ctypes
import importlib.util
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree

from core.runtimes import runtime_for
from core.scoring import c_source, onnx_model, pmml_read, pmml_write, python_source, score
from core.scoring.form import NO_NUMBER, NO_TEXT, Form, Input, Label, Regression, check
from tests.formats.verdict import refused
from tests.scoring import forms

MODELS = forms.fitted()
NAMES = sorted(MODELS)


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """The PMML 4.4 schema, which the Python package of jpmml-evaluator carries inside its Java library; no Java is asked."""
    found = importlib.util.find_spec("jpmml_evaluator")
    assert found is not None, "jpmml-evaluator is in requirements-dev.txt: make .venv/ready-dev"
    for jar in sorted(Path(str(found.origin)).parent.glob("dependencies/pmml-model-*.jar")):
        with zipfile.ZipFile(jar) as archive:
            if "pmml.xsd" in archive.namelist():
                return etree.XMLSchema(etree.fromstring(archive.read("pmml.xsd")))
    raise FileNotFoundError("no Java library of jpmml-evaluator holds pmml.xsd")


def differences(wanted: dict[str, Any], got: dict[str, Any]) -> float:
    """Return the largest difference between answers, relative where they are large; labels and shapes must be equal."""
    assert list(map(len, wanted.values())) == list(map(len, got.values()))
    worst = 0.0
    for a, b in zip(wanted.values(), got.values(), strict=True):
        if a.dtype.kind != "f":
            assert (a.astype(str) == b.astype(str)).all()
        else:
            assert a.shape == b.shape
            worst = max(worst, float((np.abs(a - b) / np.maximum(1, np.abs(a))).max()))
    return worst


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The PMML file of each model."""
    folder = tmp_path_factory.mktemp("pmml")
    for name, model in MODELS.items():
        (folder / f"{name}.pmml").write_bytes(pmml_write.write(forms.form(model), "tests"))
    return {name: folder / f"{name}.pmml" for name in MODELS}


@pytest.mark.parametrize("name", NAMES)
def test_form_and_file_answer_as_the_library_does(name: str, files: dict[str, Path]) -> None:
    given, columns = forms.asked(MODELS[name])
    wanted = forms.session(MODELS[name]).run(given)
    direct = score.score(forms.form(MODELS[name]), columns)
    assert differences(wanted, direct) < 1e-5
    assert differences(direct, score.score(pmml_read.read(files[name]), columns)) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_file_keeps_to_the_schema(name: str, files: dict[str, Path], schema: etree.XMLSchema) -> None:
    schema.assertValid(etree.parse(files[name]))


def test_the_schema_refuses_what_is_no_pmml(files: dict[str, Path], schema: etree.XMLSchema) -> None:
    document = etree.parse(files[NAMES[0]])
    assert schema.validate(document)
    next(document.iter("{*}DataField")).set("optype", "anything")
    assert not schema.validate(document)


@pytest.mark.parametrize("name", NAMES)
def test_python_source_answers_as_the_form_does(name: str, tmp_path: Path) -> None:
    form = forms.form(MODELS[name])
    (tmp_path / "model.py").write_text(python_source.write(form))
    given, columns = forms.asked(MODELS[name], 20)
    if list(given) == ["X"] and form.inputs[0].name != "x1":
        given = {one.name: columns[one.name] for one in form.inputs}
    got = runtime_for("python_source").open(tmp_path / "model.py", "python_source").run(given)
    assert differences(score.score(form, columns), got) < 1e-12


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
def test_c_source_compiles_without_a_warning_and_answers_as_the_form_does(tmp_path: Path) -> None:
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O1", "-fPIC", "-c"]
    names = {name: f"model_{place}" for place, name in enumerate(NAMES)}
    for name, stem in names.items():
        (tmp_path / f"{stem}.c").write_text(c_source.write(forms.form(MODELS[name])))
        assert not refused(tmp_path / f"{stem}.c")
        flags = [f"-Dpredict={stem}", f"-Dpredict_labels={stem}_labels"]
        subprocess.run(["cc", *strict, *flags, f"{stem}.c", "-o", f"{stem}.o"], cwd=tmp_path, check=True)
    subprocess.run(
        ["cc", "-shared", *(f"{s}.o" for s in names.values()), "-o", "all.so", "-lm"], cwd=tmp_path, check=True
    )
    library = ctypes.CDLL(str(tmp_path / "all.so"))
    for name, stem in names.items():
        form, (_, columns) = forms.form(MODELS[name]), forms.asked(MODELS[name], 20)
        assert differences(score.score(form, columns), compiled(getattr(library, stem), form, columns)) < 1e-12, name


def compiled(predict: Any, form: Form, columns: dict[str, Any]) -> dict[str, Any]:
    """Ask the compiled function row by row."""
    wide = sum(1 if isinstance(output, Label) else len(output.of) for output in form.outputs)
    rows = []
    for row in range(len(next(iter(columns.values())))):
        cells = [(columns[one.name][row], one.dtype == "string") for one in form.inputs]
        numbers, texts = [float(c) for c, text in cells if not text], [str(c).encode() for c, text in cells if text]
        answer = (ctypes.c_double * wide)()
        predict((ctypes.c_double * (len(numbers) + 1))(*numbers), (ctypes.c_char_p * (len(texts) + 1))(*texts), answer)
        rows.append(list(answer))
    table, found, place = np.array(rows), {}, 0
    for output in form.outputs:
        if isinstance(output, Label):
            found[output.name] = np.array(output.choices)[table[:, place].astype(int)]
        else:
            found[output.name] = table[:, place : place + len(output.of)]
        place += 1 if isinstance(output, Label) else len(output.of)
    return found


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="no Java on this machine: PMML4S, the second engine, needs it")
@pytest.mark.parametrize("name", NAMES)
def test_an_independent_engine_agrees(name: str, files: dict[str, Path]) -> None:
    import pypmml

    _, columns = forms.asked(MODELS[name], 20)
    wanted = score.score(pmml_read.read(files[name]), columns)
    model, outputs = pypmml.Model.load(str(files[name])), [f.get("name") for f in last_output(files[name])]
    for row in range(20):
        cells = {
            key: values[row].item() if values.dtype.kind == "f" else str(values[row]) for key, values in columns.items()
        }
        got = model.predict({key: None if value != value else value for key, value in cells.items()})
        flat = [value for array in wanted.values() for value in np.ravel(array[row])]
        for one, key in zip(flat, outputs, strict=True):
            same = (
                abs(got[key] - one) <= 1e-9 * max(1, abs(one)) if isinstance(one, float) else str(got[key]) == str(one)
            )
            assert same, (key, one, got[key])


def last_output(path: Path) -> Any:
    """Return the Output element that declares the answers."""
    return [one for one in etree.parse(path).iter("{*}Output") if len(one)][-1]


def test_a_threshold_in_float32_parts_samples_as_scikit_learn_does() -> None:
    from sklearn.tree import DecisionTreeRegressor

    rows = np.array([[0.1], [0.2], [0.30000001], [0.3], [0.7], [1.1]])
    model = DecisionTreeRegressor().fit(rows, np.arange(6.0))
    form = forms.form(model)
    edges = np.array([t for t in model.tree_.threshold if t > 0])
    near = np.concatenate([edges, np.nextafter(edges, 9), np.nextafter(edges, -9), edges.astype(np.float32)])
    assert (score.score(form, {"x1": near})["variable"][:, 0] == model.predict(near[:, None])).all()


def test_a_missing_number_is_not_clipped_to_a_bound() -> None:
    from sklearn.preprocessing import MinMaxScaler

    model = MinMaxScaler(clip=True).fit([[0.0], [4.0]])
    cells = np.array([-2.0, 1.0, 9.0, np.nan])
    got = score.score(forms.form(model), {"x1": cells})["variable"]
    assert np.array_equal(got, model.transform(cells[:, None]), equal_nan=True)


def test_zero_of_two_classes_is_a_tie_for_the_first() -> None:
    model = RidgeLike()
    got = score.score(model.form(), {"x1": np.array([0.0, 1.0, -1.0])})
    assert got["label"].tolist() == ["no", "yes", "no"]


@pytest.mark.parametrize(("categories", "nothing"), [(("no", "yes"), NO_TEXT), ((3, 4), NO_NUMBER)])
def test_every_language_knows_a_label_of_nothing(categories: Any, nothing: Any, tmp_path: Path) -> None:
    line = Regression(("a", "b"), ("x1",), ((-1.0,), (1.0,)), (0.0, 0.0))
    label = Label("label", ("a", "b"), categories, nothing=nothing)
    form = check(Form((Input("x1", "double"),), (line,), (label,)))
    cells, wanted = np.array([np.nan, 1.0, -1.0]), [nothing, categories[1], categories[0]]
    assert score.score(form, {"x1": cells})["label"].tolist() == wanted
    (tmp_path / "m.py").write_text(python_source.write(form))
    (tmp_path / "m.onnx").write_bytes(onnx_model.write(form).SerializeToString())
    for name, suffix in (("python_source", "py"), ("onnx", "onnx")):
        session = runtime_for(name).open(tmp_path / f"m.{suffix}", name)
        assert session.run({"X": cells.reshape(-1, 1)})["label"].tolist() == wanted
    if shutil.which("cc") is not None:
        (tmp_path / "m.c").write_text(c_source.write(form))
        strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC"]
        subprocess.run(["cc", *strict, "m.c", "-o", "m.so", "-lm"], cwd=tmp_path, check=True)
        library = ctypes.CDLL(str(tmp_path / "m.so"))
        assert compiled(library.predict, form, {"x1": cells})["label"].tolist() == wanted


class RidgeLike:
    """Two scores, minus x and x."""

    def form(self) -> Form:
        """Return its form."""
        from core.scoring.form import Input, Numbers, Regression, check

        step = Regression(("a", "b"), ("x1",), ((-1.0,), (1.0,)), (0.0, 0.0))
        return check(Form((Input("x1", "double"),), (step,), (Label("label", ("a", "b"), ("no", "yes")), Numbers("scores", ("a", "b")))))  # fmt: skip
