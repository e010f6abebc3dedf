"""Boosted trees of XGBoost, LightGBM and CatBoost read into the form, from the one noun that their files are read into."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused
from core.domain.transform import option
from core.formats.forests import LEAF, BoostedTrees, Tree, lightgbm, xgboost
from core.libraries.fitted.columns import Columns, needs
from core.libraries.fitted.trees import linked
from core.libraries.sklearn import Estimator
from core.onnx import files
from core.scoring import onnx_model
from core.scoring.builder import Builder, Grower
from core.scoring.form import AT_MOST, BELOW, Apply, Const, Expression, Form, Input, Label, Numbers, Ref, check, needed

ZERO = 1.0000000180025095e-35
"""LightGBM's ``kZeroThreshold``, which is 1e-35 in float32: what is no farther from zero is zero."""
NO_LINK = "Train with one of the library's own objectives, or convert the raw scores yourself."


@dataclass(frozen=True)
class OnnxOptions:
    """The operator set of the numeric operators; trees are written in ai.onnx.ml 5 (ONNX Runtime 1.20 or newer)."""

    opset: int = option(20, "ONNX operator set to write; 15 to 22.", low=15, high=22)


def form(forest: BoostedTrees) -> Form:
    """Return the form of a file of boosted trees, with its own names for the columns where it has them. Raises Refused."""
    named = len(set(forest.names)) == forest.features and "" not in forest.names
    return _form(forest, forest.names if named else _places(forest), forest.dtype)


def to_onnx(forest: BoostedTrees, out: Path, opset: int, dtype: str = "float32") -> None:
    """Write a file of boosted trees as ONNX that takes one table of ``dtype`` and answers in float32; check and load it. Raises Refused."""
    files.write(onnx_model.write(_form(forest, _places(forest), dtype), opset, "float32"), out)
    files.loads(out)


def _places(forest: BoostedTrees) -> tuple[str, ...]:
    return tuple(f"x{place + 1}" for place in range(forest.features))


def _form(forest: BoostedTrees, names: tuple[str, ...], dtype: str) -> Form:
    inputs = tuple(Input(name, "float" if dtype == "float32" else "double") for name in names)
    build = Builder(inputs)
    found = numbers(forest, list(names), build)
    if not forest.classes:
        return needed(check(Form(inputs, tuple(build.steps), (Numbers("variable", found),))))
    label = forest.labels or range(forest.classes)
    of = linked(list(found), "softmax", build) if forest.link == "each_sigmoid" else found
    whole = [one for one in label if isinstance(one, int)]
    categories = tuple(whole) if len(whole) == len(label) else tuple(map(str, label))
    answers = Label("label", of, categories), Numbers("probabilities", found)
    return needed(check(Form(inputs, tuple(build.steps), answers)))


def numbers(forest: BoostedTrees, columns: Columns, build: Builder) -> tuple[str, ...]:
    """Return the names of a forest's numbers: a share per class, or the predicted values. Raises Refused."""
    if forest.link == "unknown":
        raise Refused(f"The objective {forest.objective!r} is not supported.", NO_LINK)
    used = [_column(forest, place, name, build) for place, name in enumerate(columns)]
    growers = [Grower() for _ in range(forest.targets)]
    for grower, base in zip(growers, forest.base, strict=True):
        grower.roots.append(grower.leaf((float(base) * forest.average,)))
    fields = dict[str, int]()
    for tree in forest.trees:
        _plant(tree, forest, used, fields, growers[tree.target], build)
    asked = tuple(fields) or tuple(used[:1])
    raw = [
        n for grower in growers for n in build.add(grower.forest(build.names("raw", 1), asked, float(forest.average)))
    ]
    return _answered(forest, raw, build)


def xgboost_estimator(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    """Read XGBoost's estimator of scikit-learn's kind; after early stopping up to its best round."""
    needs(model.missing is None or model.missing != model.missing, f"XGBoost with missing={model.missing}")
    document = json.loads(bytes(model.get_booster().save_raw("json")))
    document["learner"].setdefault("attributes", {}).setdefault("scikit_learn", "{}")
    return numbers(xgboost.forest_of(document), columns, build)


def lightgbm_estimator(model: Estimator, columns: Columns, build: Builder) -> tuple[str, ...]:
    """Read LightGBM's estimator of scikit-learn's kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.txt"
        model.booster_.save_model(path)
        return numbers(lightgbm.forest(path), columns, build)


def _column(forest: BoostedTrees, place: int, name: str, build: Builder) -> str:
    """Return the column as the trees see it: in float32, or with its zeros missing."""
    if forest.dtype == "float32":
        return build.float32(name)
    if place not in forest.zero_missing:
        return name
    far = Apply("greaterThan", (Apply("abs", (Ref(name),)), Const(ZERO)))
    return build.field("nonzero", name, Apply("if", (far, Ref(name))))


def _plant(
    tree: Tree, forest: BoostedTrees, used: list[str], fields: dict[str, int], grower: Grower, build: Builder
) -> None:
    start = len(grower.feature)
    grower.roots.append(start)
    for place, left in enumerate(tree.left):
        if left == LEAF:
            grower.leaf((float(tree.value[place]),))
            continue
        sides = start + int(left), start + int(tree.right[place])
        gap = sides[0] if tree.missing_left[place] else sides[1]
        name = used[int(tree.feature[place])]
        if place in tree.categories:
            name = _member(name, tree.categories[place], forest, build)
        feature = fields.setdefault(name, len(fields))
        if place in tree.categories:
            grower.split(feature, AT_MOST, 0.5, *sides, gap)
        else:
            grower.split(feature, AT_MOST if forest.equal_left else BELOW, tree.threshold[place], *sides, gap)


def _member(name: str, categories: tuple[int, ...], forest: BoostedTrees, build: Builder) -> str:
    """Return a field that is 1 where the column holds one of the categories, which go right."""
    whole: Expression = Apply("floor", (Ref(name),))
    if forest.truncates:
        minus = Apply("-", (Const(0.0), Apply("floor", (Apply("-", (Const(0.0), Ref(name))),))))
        whole = Apply("if", (Apply("lessThan", (Ref(name), Const(0.0))), minus, whole))
    code = build.field("category", name, whole)
    options = tuple(Const(float(c)) for c in categories)
    inside: Expression = Apply("isIn", (Ref(code), *options)) if options else Const(0.0)
    return build.field("among", name, Apply("if", (inside, Const(1.0), Const(0.0))))


def _answered(forest: BoostedTrees, raw: list[str], build: Builder) -> tuple[str, ...]:
    if forest.link in ("sigmoid", "softmax"):
        kind = "softmax" if forest.classes else "logit"
        return linked(raw, kind, build, forest.scale if forest.link == "sigmoid" else 1.0)
    if forest.link == "each_sigmoid":
        return linked(raw, "logit", build, forest.scale)
    if forest.link == "exp":
        return linked(raw, "exp", build)
    if forest.link == "log1p_exp":
        return tuple(build.field("answer", name, Apply("ln1p", (Apply("exp", (Ref(name),)),))) for name in raw)
    if forest.link == "signed_square":
        return tuple(build.field("answer", n, Apply("*", (Ref(n), Apply("abs", (Ref(n),))))) for n in raw)
    return tuple(raw)
