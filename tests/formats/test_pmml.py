"""PMML from strangers: hostile XML, elements that have no reading, and files of other makers' style."""

from pathlib import Path

import numpy as np
import pytest

from core.domain.errors import Refused
from core.formats import FORMATS, recognise
from core.runtimes import runtime_for
from core.scoring import pmml_read, score
from tests.formats.verdict import refused

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
DATA = """<Header/><DataDictionary><DataField name="a" optype="continuous" dataType="double"/>
<DataField name="k" optype="categorical" dataType="string"/>
<DataField name="y" optype="categorical" dataType="string"><Value value="no"/><Value value="yes"/></DataField></DataDictionary>"""
SCHEMA = '<MiningSchema><MiningField name="a"/><MiningField name="k"/><MiningField name="y" usageType="target"/></MiningSchema>'
REGRESSION = f"""<RegressionModel functionName="classification" normalizationMethod="softmax">{SCHEMA}
<RegressionTable targetCategory="no" intercept="0"/><RegressionTable targetCategory="yes" intercept="1">
<NumericPredictor name="a" coefficient="2"/><CategoricalPredictor name="k" value="x" coefficient="3"/></RegressionTable></RegressionModel>"""


def pmml(model: str = REGRESSION, data: str = DATA, version: str = "4_4", head: str = HEAD) -> str:
    return f'{head}<PMML xmlns="http://www.dmg.org/PMML-{version}" version="{version.replace("_", ".")}">{data}{model}</PMML>'


def saved(folder: Path, text: str) -> Path:
    path = folder / "m.pmml"
    path.write_text(text)
    return path


def answers(folder: Path, text: str, a: list[float], k: list[str]) -> dict[str, np.ndarray]:
    return score.score(pmml_read.read(saved(folder, text)), {"a": np.array(a), "k": np.array(k)})


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, pmml())
    assert recognise(path, "model.txt").id == "pmml"
    assert not refused(path)
    assert FORMATS["pmml"].inspect(path).notes["fields"] == ["a", "k"]
    got = answers(tmp_path, pmml(), [0.0, 1.0, np.nan], ["z", "x", "x"])
    assert got["probabilities"][0, 1] == pytest.approx(1 / (1 + np.exp(-1)))
    assert got["probabilities"][1, 1] == pytest.approx(1 / (1 + np.exp(-6)))
    assert got["label"][:2].tolist() == ["yes", "yes"]
    assert np.isnan(got["probabilities"][2]).all()


BOMB = HEAD + '<!DOCTYPE PMML [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FILE = HEAD + '<!DOCTYPE PMML [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
HOSTILE = {
    "an entity bomb": pmml(head=BOMB),
    "a file by entity": pmml(head=FILE).replace("<Header/>", "<Header><Annotation>&a;</Annotation></Header>"),
    "an unknown entity": pmml().replace("<Header/>", "<Header><Annotation>&a;</Annotation></Header>"),
    "UTF-16": pmml().encode("utf-16").decode("latin-1"),
    "too deep": pmml().replace(REGRESSION, "<Apply>" * 300 + "</Apply>" * 300),
    "version 3": pmml(version="3_2"),
    "another language": pmml().replace("http://www.dmg.org", "http://example.org"),
    "no closing": pmml()[:-6],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_xml_is_refused_in_words(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.pmml"
    path.write_bytes(HOSTILE[kind].encode("latin-1"))
    assert refused(path).rstrip().endswith(".")


def test_all_elements_without_a_reading_are_named_at_once(tmp_path: Path) -> None:
    text = pmml(REGRESSION + "<SupportVectorMachineModel><RadialBasisKernelType/></SupportVectorMachineModel>")
    words = refused(
        saved(
            tmp_path,
            text.replace(
                "<Header/>", '<Header/><TransformationDictionary><DefineFunction name="f"/></TransformationDictionary>'
            ),
        )
    )
    assert all(name in words for name in ("SupportVectorMachineModel", "RadialBasisKernelType", "DefineFunction"))


def test_extensions_are_told_and_not_read(tmp_path: Path) -> None:
    path = saved(
        tmp_path, pmml().replace("<Header/>", '<Header><Extension name="x" value="y"/></Header><!-- a --><?p q?>')
    )
    assert not refused(path)
    text = pmml().replace(
        "<DataDictionary>", '<DataDictionary><Extension name="x"><script>alert()</script></Extension>'
    )
    found = FORMATS["pmml"].audit(saved(tmp_path, text))
    assert [risk.level for risk in found] == ["warning", "info"]


TREE = f"""<TreeModel functionName="classification" missingValueStrategy="STRATEGY">{SCHEMA}
<Node id="0" score="no"><True/>
<Node id="1" score="yes"><CompoundPredicate booleanOperator="or"><SimplePredicate field="a" operator="greaterThan" value="5"/>
<SimpleSetPredicate field="k" booleanOperator="isIn"><Array type="string" n="2">"x" "a \\"b"</Array></SimpleSetPredicate></CompoundPredicate></Node>
<Node id="2" score="no"><True/></Node></Node></TreeModel>"""


@pytest.mark.parametrize(
    ("a", "k", "label"),
    [
        (6.0, "q", "yes"),
        (1.0, "x", "yes"),
        (1.0, 'a "b', "yes"),
        (1.0, "q", "no"),
        (np.nan, "x", "yes"),
        (np.nan, "q", "no"),
    ],
)
def test_compound_predicates_follow_three_valued_logic(tmp_path: Path, a: float, k: str, label: str) -> None:
    assert answers(tmp_path, pmml(TREE.replace("STRATEGY", "none")), [a], [k])["label"].tolist() == [label]


def test_a_strategy_without_a_reading_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="weightedConfidence"):
        pmml_read.read(saved(tmp_path, pmml(TREE.replace("STRATEGY", "weightedConfidence"))))


def test_nested_compounds_do_not_explode(tmp_path: Path) -> None:
    inner = "<True/>"
    for _ in range(60):
        inner = f'<CompoundPredicate booleanOperator="and">{inner}<True/></CompoundPredicate>'
    start, end = TREE.index("<CompoundPredicate"), TREE.index("</CompoundPredicate>") + len("</CompoundPredicate>")
    with pytest.raises(Refused, match="conditions"):
        pmml_read.read(saved(tmp_path, pmml((TREE[:start] + inner + TREE[end:]).replace("STRATEGY", "none"))))


TRANSFORMED = """<TransformationDictionary>
<DerivedField name="n" optype="continuous" dataType="double"><NormContinuous field="a" outliers="asExtremeValues">
<LinearNorm orig="0" norm="0"/><LinearNorm orig="10" norm="1"/><LinearNorm orig="20" norm="5"/></NormContinuous></DerivedField>
<DerivedField name="m" optype="continuous" dataType="double"><MapValues outputColumn="o" defaultValue="7" mapMissingTo="9" dataType="double">
<FieldColumnPair field="k" column="i"/><InlineTable><row><i>x</i><o>1</o></row><row><i>z</i><o>2</o></row></InlineTable></MapValues></DerivedField>
<DerivedField name="d" optype="continuous" dataType="double"><Discretize field="a" dataType="double" defaultValue="-1">
<DiscretizeBin binValue="3"><Interval closure="closedOpen" leftMargin="0" rightMargin="10"/></DiscretizeBin></Discretize></DerivedField>
</TransformationDictionary>"""
OUTPUTS = f"""<RegressionModel functionName="regression">{SCHEMA.replace('<MiningField name="y" usageType="target"/>', "")}
<Output>{"".join(f'<OutputField name="{n}!" feature="transformedValue" dataType="double" optype="continuous"><FieldRef field="{n}"/></OutputField>' for n in "nmd")}</Output>
<RegressionTable intercept="0"/></RegressionModel>"""


def test_transformations_of_other_makers_are_read(tmp_path: Path) -> None:
    got = answers(tmp_path, pmml(TRANSFORMED + OUTPUTS), [5.0, 15.0, 99.0, -3.0], ["x", "q", "z", "x"])
    assert got["variable"].tolist() == [[0.5, 1, 3], [3.0, 7, -1], [5.0, 2, -1], [0.0, 1, -1]]


def test_the_runtime_knows_values_and_thresholds(tmp_path: Path) -> None:
    session = runtime_for("pmml").open(saved(tmp_path, pmml(TREE.replace("STRATEGY", "none"))), "pmml")
    assert session.thresholds == {0: (5.0,)}  # type: ignore[attr-defined]
    assert session.domains["k"].values == ("x", 'a "b')
    assert session.domains["a"].mean == (5.0,)


LINE = """<Header/><DataDictionary><DataField name="a" optype="continuous" dataType="double">{space}</DataField>
<DataField name="y" optype="continuous" dataType="double"/></DataDictionary><RegressionModel functionName="regression">
<MiningSchema><MiningField name="a" {rule}/><MiningField name="y" usageType="target"/></MiningSchema>
<RegressionTable intercept="1"><NumericPredictor name="a" coefficient="2"/></RegressionTable></RegressionModel>"""
SPACE = '<Interval closure="closedOpen" leftMargin="0" rightMargin="5"/><Value value="7"/><Value value="-9" property="missing"/>'
GONE = np.nan


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("", [1.0, 9.0, GONE, 15.0, GONE, GONE, GONE]),
        ('invalidValueTreatment="asIs"', [1.0, 9.0, 11.0, 15.0, -1.0, GONE, GONE]),
        ('invalidValueTreatment="asMissing" missingValueReplacement="3"', [1.0, 9.0, 7.0, 15.0, 7.0, 7.0, 7.0]),
        ('invalidValueTreatment="asValue" invalidValueReplacement="2"', [1.0, 9.0, 5.0, 15.0, 5.0, GONE, GONE]),
        ('missingValueReplacement="3"', [1.0, 9.0, GONE, 15.0, GONE, 7.0, 7.0]),
        ('invalidValueTreatment="asIs" outliers="asExtremeValues" lowValue="0" highValue="6"', [1.0, 9.0, 11.0, 13.0, 1.0, GONE, GONE]),
        ('invalidValueTreatment="asMissing" missingValueTreatment="returnInvalid"', [1.0, 9.0, GONE, 15.0, GONE, GONE, GONE]),
    ],
)  # fmt: skip
def test_invalid_values_are_treated_as_the_schema_says(tmp_path: Path, rule: str, wanted: list[float]) -> None:
    form = pmml_read.read(saved(tmp_path, pmml(LINE.format(space=SPACE, rule=rule), data="")))
    got = score.score(form, {"a": np.array([0.0, 4.0, 5.0, 7.0, -1.0, -9.0, np.nan])})
    assert np.array_equal(got["variable"][:, 0], wanted, equal_nan=True)


def test_probes_are_drawn_where_values_are_valid(tmp_path: Path) -> None:
    session = runtime_for("pmml").open(
        saved(tmp_path, pmml(LINE.format(space=SPACE.partition("/>")[0] + "/>", rule=""), data="")), "pmml"
    )
    assert (session.domains["a"].mean, session.domains["a"].spread) == ((2.5,), (1.25,))


def test_an_invalid_text_has_no_label(tmp_path: Path) -> None:
    known = 'name="k" optype="categorical" dataType="string"'
    data = DATA.replace(f"{known}/>", f'{known}><Value value="x"/><Value value="z"/></DataField>')
    got = answers(tmp_path, pmml(data=data), [0.0, 1.0, 1.0], ["z", "q", "x"])
    assert got["label"].tolist() == ["yes", "", "yes"]
    assert np.isnan(got["probabilities"]).all(axis=1).tolist() == [False, True, False]


def test_another_treatment_of_invalid_values_is_refused(tmp_path: Path) -> None:
    rule = 'invalidValueTreatment="asGuess"'
    with pytest.raises(Refused, match="asGuess"):
        pmml_read.read(saved(tmp_path, pmml(LINE.format(space=SPACE, rule=rule), data="")))
