"""CatBoost's model file (.cbm): ``CBM1``, a length, and a flatbuffer ``TModelCore``, read and checked without CatBoost.

Fields are numbered as in CatBoost 1.2's ``model.fbs``. A symmetric tree asks one question per level; bit i of a leaf's
number is the answer to question i, and here the last question is asked first, so that leaves keep their order.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused
from core.formats.anatomy.findings import JsonObject
from core.formats.anatomy.flatbuffer import Source, Table
from core.formats.forests import LEAF, BoostedTrees, Tree, check_tree, content, refuse_size

MAGIC = b"CBM1"
MAX_FEATURES = 10_000_000
MAX_ANSWERS = 100_000
MAX_DEPTH = 16
"""The deepest tree that CatBoost grows."""
AGAIN = "Save the model again with save_model('model.cbm')."
OTHERS = (4, 12, 18)
"""Where the categories, texts and embeddings stand in the table of trees."""
STEPS = 10
"""Where the nodes of trees that are not symmetric stand; their leaves follow."""
AS_TRUE = 2
"""``ENanValueTreatment``: a missing number is above every border; else it is below."""
LINKS = {
    **dict.fromkeys(("Logloss", "CrossEntropy"), "sigmoid"),
    "MultiClass": "softmax",
    "MultiClassOneVsAll": "each_sigmoid",
    **dict.fromkeys(("Poisson", "Tweedie", "LogLinQuantile"), "exp"),
    **dict.fromkeys(
        ("RMSE", "MAE", "Quantile", "MAPE", "Huber", "Expectile", "Lq", "MultiRMSE", "QueryRMSE"), "identity"
    ),
    **dict.fromkeys(("YetiRank", "YetiRankPairwise", "PairLogit", "PairLogitPairwise", "QuerySoftMax"), "identity"),
}
"""What each loss makes of the sum of the leaves."""


@dataclass(frozen=True)
class Column:
    """One numeric feature: its place in the flat table, its borders, its name, and whether missing is above them."""

    place: int
    borders: tuple[float, ...]
    name: str
    missing_above: bool


Question = tuple[Column, float]
"""A column and the border that its numbers are held against."""


@dataclass(frozen=True)
class CatBoostModel:
    """The parts of the file: its trees' table, its numeric columns, the places of all others, and its notes by key."""

    trees: Table
    columns: tuple[Column, ...]
    others: tuple[int, ...]
    notes: dict[str, str]

    @property
    def features(self) -> int:
        """The number of columns of the flat table."""
        return 1 + max([column.place for column in self.columns] + list(self.others), default=-1)

    @property
    def loss(self) -> str:
        """The loss that the model was trained on, or nothing."""
        found = _json(self.notes.get("params", "")).get("loss_function")
        return str(found.get("type", ""))[:60] if isinstance(found, dict) else ""

    @property
    def labels(self) -> tuple[str | int, ...]:
        """The names of the classes: whole numbers where they are, else texts."""
        told = _json(self.notes.get("class_params", "")).get("class_names")
        names = told if isinstance(told, list) else []
        if all(isinstance(name, int | float) and float(name).is_integer() for name in names):
            return tuple(int(name) for name in names)
        return tuple(str(name)[:200] for name in names)


def read(path: Path) -> CatBoostModel:
    """Return the file's parts. Raises Refused when it is too large, cut off, or no model."""
    data = content(path)
    length = struct.unpack("<I", data[4:8].ljust(4, b"\xff"))[0]
    if data[:4] != MAGIC or length > len(data) - 8:
        raise Refused("The file is cut off: its model is longer than the file.", AGAIN)
    core = Source(memoryview(data)[8 : 8 + length]).root()
    trees = core.table(1)
    if trees is None or not core.text(0).startswith("FlabuffersModel_v"):
        raise Refused("The file contains no CatBoost model.", AGAIN)
    if not core.count(3) and 8 + length != len(data):
        raise Refused("The file has extra bytes after its end.", AGAIN)
    notes = {pair.text(0)[:80]: _long_text(pair, 1) for pair in core.tables(2)}
    columns = tuple(_column(feature) for feature in trees.tables(5))
    others = tuple(feature.number(1, "i", -1) for field in OTHERS for feature in trees.tables(field))
    if any(not 0 <= place < MAX_FEATURES for place in (*(c.place for c in columns), *others)):
        raise Refused("A column of the model has no position in the table.", AGAIN)
    return CatBoostModel(trees, columns, others, notes)


def forest(path: Path) -> BoostedTrees:
    """Return the trees. Raises Refused when a number is out of bounds, or a split asks for categories or text."""
    return forest_of(read(path))


def forest_of(model: CatBoostModel) -> BoostedTrees:
    """Return the trees of a model that has been read."""
    trees = model.trees
    answers = trees.number(0, "i", 1)
    if not 0 < answers <= MAX_ANSWERS:
        raise Refused(f"The file declares {answers} answers, which is impossible.", AGAIN)
    if model.others:
        raise Refused(
            f"The model has {len(model.others)} columns of categories, text or embeddings, whose statistics only CatBoost can compute.",
            "Encode these columns as numbers before training, and save the model again.",
        )
    borders = [(column, border) for column in model.columns for border in column.borders]
    scale = _doubles(trees, 14, 1.0)
    found = tuple(_grown(trees, borders, answers, scale))
    if not found:
        raise Refused("The file contains no trees.", "Train the model, and save it again.")
    for number, tree in enumerate(found):
        check_tree(tree, model.features, f"Tree {number // answers}")
    labels, link = model.labels, LINKS.get(model.loss, "unknown")
    classes = 0 if link not in ("sigmoid", "softmax", "each_sigmoid") else max(2, answers)
    names = {column.place: column.name for column in model.columns}
    return BoostedTrees(
        features=model.features,
        targets=answers,
        trees=found,
        base=_base(trees, answers),
        link=link,
        classes=classes,
        dtype="float32",
        equal_left=True,
        objective=model.loss,
        names=tuple(names.get(place, "") for place in range(model.features)) if any(names.values()) else (),
        labels=labels if len(labels) == classes else (),
        notes={"trees": len(found) // answers},
    )


def _column(feature: Table) -> Column:
    borders = feature.numbers(3, "f")
    return Column(feature.number(2, "i", -1), tuple(borders), feature.text(4)[:200], feature.number(5, "b") == AS_TRUE)


def _long_text(table: Table, field: int) -> str:
    start, length = table.span(field)
    return bytes(table.source.data[start : start + min(length, 1 << 20)]).decode("utf-8", "replace")


def _json(text: str) -> JsonObject:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _grown(trees: Table, borders: list[Question], answers: int, scale: float) -> Iterator[Tree]:
    """Yield one tree per tree and answer. Raises Refused where sizes, splits and leaves do not fit."""
    splits, sizes, starts = trees.numbers(1, "i"), trees.numbers(2, "i"), trees.numbers(3, "i")
    values = [scale * value for value in trees.numbers(8, "d")]
    if any(not 0 <= split < max(1, len(borders)) for split in splits):
        raise Refused("A split refers to a border that the model does not have.", AGAIN)
    if len(starts) != len(sizes) or any(
        size < 0 or start < 0 or start + size > len(splits) for start, size in zip(starts, sizes, strict=True)
    ):
        raise Refused("A tree is outside the list of splits.", AGAIN)
    asked = [[borders[split] for split in splits[a : a + n]] for a, n in zip(starts, sizes, strict=True)]
    if trees.count(STEPS):
        yield from _grown_freely(trees, asked, starts, values, answers)
    else:
        yield from _grown_evenly(asked, values, answers)


def _grown_evenly(asked: list[list[Question]], values: list[float], answers: int) -> Iterator[Tree]:
    if any(len(questions) > MAX_DEPTH for questions in asked):
        raise Refused(f"A tree has more than {MAX_DEPTH} levels of splits.", AGAIN)
    wanted = answers * sum(1 << len(questions) for questions in asked)
    refuse_size(2 * wanted)
    if len(values) != wanted:
        raise Refused(f"The file has {len(values)} leaf values, but its trees need {wanted}.", AGAIN)
    first = 0
    for questions in asked:
        after = first + (answers << len(questions))
        for target in range(answers):
            yield _symmetric(questions[::-1], values[first + target : after : answers], target)
        first = after


def _grown_freely(
    trees: Table, asked: list[list[Question]], starts: Sequence[int], values: list[float], answers: int
) -> Iterator[Tree]:
    """Yield trees whose nodes tell how far ahead their children are; 0 ends the way at the node's own leaf."""
    steps, leaves = trees.numbers(STEPS, "I"), trees.numbers(STEPS + 1, "I")
    refuse_size(2 * answers * len(steps))
    if len(steps) != len(leaves) or sum(map(len, asked)) > len(steps):
        raise Refused("Some nodes of the trees are not described.", AGAIN)
    for start, questions in zip(starts, asked, strict=True):
        stop = start + len(questions)
        if stop > len(steps):
            raise Refused("A tree is outside the list of nodes.", AGAIN)
        for target in range(answers):
            yield _free(questions, steps[start:stop], leaves[start:stop], values[target:], target)


def _free(
    questions: list[Question], steps: Sequence[int], leaves: Sequence[int], values: list[float], target: int
) -> Tree:
    """Return a tree of nodes as they stand, with a leaf behind them for each way that ends at a node which also splits."""
    count = len(questions)
    left, right = [LEAF] * count, [LEAF] * count
    value, ends = [0.0] * count, []
    for place, step in enumerate(steps):
        if not step:
            value[place] = _leaf(values, leaves[place])
            continue
        ways = []
        # The distances to the left and to the right child, 16 bits each (model.fbs, TNonSymmetricTreeStepNode).
        for ahead in (step & 0xFFFF, step >> 16):
            if not ahead:
                ends.append(_leaf(values, leaves[place]))
            ways.append(place + ahead if ahead else count + len(ends) - 1)
        left[place], right[place] = ways
    more = [0.0] * len(ends)
    return Tree(
        [column.place for column, _ in questions] + [0] * len(ends),
        [border for _, border in questions] + more,
        left + [LEAF] * len(ends),
        right + [LEAF] * len(ends),
        [not column.missing_above for column, _ in questions] + [False] * len(ends),
        value + ends,
        target,
    )


def _leaf(values: list[float], number: int) -> float:
    if number >= len(values):
        raise Refused("A node names a leaf that the file does not have.", AGAIN)
    return values[number]


def _symmetric(asked: list[Question], leaves: list[float], target: int) -> Tree:
    """Return a tree whose levels ask one question each, its places in heap order."""
    inner = len(leaves) - 1
    questions = [asked[(place + 1).bit_length() - 1] for place in range(inner)]
    ends = [LEAF] * len(leaves)
    return Tree(
        [column.place for column, _ in questions] + [0] * len(leaves),
        [border for _, border in questions] + [0.0] * len(leaves),
        [2 * place + 1 for place in range(inner)] + ends,
        [2 * place + 2 for place in range(inner)] + ends,
        [not column.missing_above for column, _ in questions] + [False] * len(leaves),
        [0.0] * inner + leaves,
        target,
    )


def _base(trees: Table, answers: int) -> tuple[float, ...]:
    several = trees.numbers(16, "d")
    if several and len(several) != answers:
        raise Refused(f"The file gives {len(several)} biases for {answers} answers.", AGAIN)
    return tuple(float(b) for b in several) if several else (_doubles(trees, 15, 0.0),) * answers


def _doubles(table: Table, field: int, default: float) -> float:
    """Return a float64 field, read as its bits."""
    bits = table.number(field, "q", struct.unpack("<q", struct.pack("<d", default))[0])
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])
