"""LightGBM's model file: lines of ``key=value`` in a head and one block per tree, read and checked without LightGBM.

The file's parts are those that LightGBM 4's ``GBDT::SaveModelToString`` and ``Tree::ToString`` write.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from core.domain.errors import Refused
from core.formats.forests import LEAF, BoostedTrees, Tree, check_tree, content, refuse_size

MAX_FEATURES = 10_000_000
MAX_CLASSES = 100_000
MAX_LEAVES = 10_000_000
AGAIN = "Save the model again with booster.save_model('model.txt')."
IS_CATEGORY, DEFAULT_LEFT = 1, 2
MISSING = {0: "none", 1: "zero", 2: "nan"}
LINKS = {
    "binary": "sigmoid",
    "cross_entropy": "sigmoid",
    "multiclass": "softmax",
    "multiclassova": "each_sigmoid",
    "cross_entropy_lambda": "log1p_exp",
    **dict.fromkeys(("poisson", "gamma", "tweedie"), "exp"),
    **dict.fromkeys(
        ("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg"), "identity"
    ),
}
"""What each objective makes of the sum of the leaves."""
KEYS = {
    "num_leaves", "num_cat", "split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child",
    "leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count", "cat_boundaries",
    "cat_threshold", "is_linear", "leaf_const", "num_features", "leaf_features", "leaf_coeff", "shrinkage",
}  # fmt: skip
HEAD = {
    "tree", "version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective", "average_output",
    "feature_names", "monotone_constraints", "feature_infos", "tree_sizes",
}  # fmt: skip
PARAMETER = re.compile(r"\[\w+: .*\]")
"""LightGBM ends its process over another line."""
RANGE = re.compile(r"\[([^:\]]+):([^:\]]+)\]")
BESIDE = {
    **dict.fromkeys(("split_gain", "internal_value", "internal_weight", "internal_count"), 1),
    **dict.fromkeys(("leaf_weight", "leaf_count"), 0),
}
"""Lists that change no answer, by how many values fewer than leaves they have; LightGBM ends its process over one that is not so long."""
N = TypeVar("N", int, float)


def forest(path: Path) -> BoostedTrees:
    """Return the trees. Raises Refused when the file is cut, a line is not known, or a number is out of bounds."""
    head, blocks = _parts(path)
    features = _number(head, "max_feature_idx", MAX_FEATURES) + 1
    targets = max(1, _number(head, "num_tree_per_iteration", MAX_CLASSES))
    refuse_size(sum(2 * _number(block, "num_leaves", MAX_LEAVES) for block in blocks))
    trees = tuple(_tree(block, n, features, n % targets) for n, block in enumerate(blocks))
    objective, settings = _objective(head)
    names = head.get("feature_names", "").split(" ")
    average = len(trees) // targets if "average_output" in head else 1
    return BoostedTrees(
        features=features,
        targets=targets,
        trees=trees,
        base=(0.0,) * targets,
        link=_link(objective, settings),
        classes=_classes(objective, targets),
        dtype="float64",
        equal_left=True,
        objective=objective,
        names=tuple(name[:200] for name in names) if len(names) == features else (),
        scale=_scale(settings),
        average=max(1, average),
        zero_missing=_zero_missing(blocks),
        truncates=True,
        ranges=_ranges(head, features),
        notes={"trees": len(trees), "version": head.get("version", "")[:20], "missing": _kinds(blocks)},
    )


def _parts(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return the head and the blocks of the trees. Raises Refused where the file is no whole model."""
    try:
        text = content(path).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise Refused("The file contains bytes that are not text.", AGAIN) from None
    body, end, rest = text.partition("\nend of trees\n")
    if not end:
        raise Refused("The file is cut off: the line 'end of trees' is missing.", AGAIN)
    _check_rest(rest)
    first = body.find("\nTree=")
    if first < 0:
        raise Refused("The file contains no trees.", "Train the model, and save it again.")
    head = _lines(body[:first], HEAD)
    parts = _cut(body[first + 1 :] + "\n", head)
    return head, [_block(part, number) for number, part in enumerate(parts)]


def _check_rest(rest: str) -> None:
    """Check what follows the trees, so that a cut is seen."""
    last = rest.rpartition("pandas_categorical:")
    if "\nparameters:\n" in rest and "\nend of parameters\n" not in rest:
        raise Refused("The file is cut off inside its parameters.", AGAIN)
    listed = rest.partition("\nparameters:\n")[2].partition("\nend of parameters\n")[0]
    if not all(PARAMETER.fullmatch(line) for line in listed.split("\n") if line):
        raise Refused("The parameters of the training are not listed as LightGBM lists them.", AGAIN)
    if last[1]:
        try:
            json.loads(last[2])
        except (ValueError, RecursionError):
            raise Refused("The file is cut off in its list of categories.", AGAIN) from None
    elif rest.strip() and not rest.endswith("\n"):
        raise Refused("The file is cut off at its end.", AGAIN)


def _cut(body: str, head: dict[str, str]) -> list[str]:
    """Cut the trees by the sizes that the head gives, which LightGBM follows without a look. Raises Refused where they lie."""
    parts = [part for part in re.split(r"(?=^Tree=)", body, flags=re.MULTILINE) if part]
    if "tree_sizes" in head:
        told = _numbers(head, "tree_sizes", int)
        sizes = [len(part.encode()) for part in parts]
        if len(told) != len(sizes) or any(abs(a - b) > 2 for a, b in zip(told, sizes, strict=True)):
            raise Refused("The sizes of the trees in the header do not match the trees.", AGAIN)
    return parts


def _block(part: str, number: int) -> dict[str, str]:
    first, _, lines = part.partition("\n")
    if first != f"Tree={number}":
        raise Refused(f"{first[:40]!r} appears where tree {number} should be.", AGAIN)
    return _lines(lines, KEYS)


def _lines(text: str, known: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.split("\n"):
        key, _, value = line.partition("=")
        if not line:
            continue
        if key not in known or key in found:
            raise Refused(f"The line {line[:40]!r} is unknown, or appears twice.", AGAIN)
        found[key] = value
    return found


def _tree(block: dict[str, str], number: int, features: int, target: int) -> Tree:
    """Return one tree, its leaves numbered behind its splits."""
    where, leaves = f"Tree {number}", _number(block, "num_leaves", MAX_LEAVES)
    if block.get("is_linear", "0") != "0":
        raise Refused("The leaves contain linear models (linear_tree=true).", "Train with linear_tree=false.")
    values = _numbers(block, "leaf_value", float)
    splits = max(0, leaves - 1)
    if leaves < 1 or len(values) != leaves:
        raise Refused(f"{where} has {len(values)} leaf values for {leaves} leaves.", AGAIN)
    feature, kinds = _row(block, "split_feature", int, splits), _row(block, "decision_type", int, splits)
    threshold = _row(block, "threshold", float, splits)
    left = [_place(child, splits) for child in _row(block, "left_child", int, splits)]
    right = [_place(child, splits) for child in _row(block, "right_child", int, splits)]
    _check_beside(block, leaves)
    sets = _sets(block, kinds, threshold)
    # A category in the set goes left in LightGBM; a forest here names what goes right.
    for place in sets:
        left[place], right[place] = right[place], left[place]
    missing = [_missing_left(kind, bound) for kind, bound in zip(kinds, threshold, strict=True)]
    ends = [LEAF] * leaves
    found = Tree(
        feature + [0] * leaves,
        threshold + [0.0] * leaves,
        left + ends,
        right + ends,
        missing + [False] * leaves,
        [0.0] * splits + values,
        target,
        sets,
    )
    check_tree(found, features, where)
    return found


def _check_beside(block: dict[str, str], leaves: int) -> None:
    """Refuse what no answer depends on, and LightGBM would stumble over."""
    for name, fewer in BESIDE.items():
        if block.get(name, "").strip():
            _row(block, name, float, leaves - fewer)
    _numbers(block, "shrinkage", float)
    starts, words = _numbers(block, "cat_boundaries", int), _numbers(block, "cat_threshold", int)
    if _number(block, "num_cat", MAX_LEAVES) != max(0, len(starts) - 1) or (starts[-1] if starts else 0) != len(words):
        raise Refused("The categories are not as many as the file says.", AGAIN)


def _missing_left(kind: int, threshold: float) -> bool:
    """Say where a missing number goes: categories not in the set, numbers by default, or as 0 where none was missing in training."""
    if kind & IS_CATEGORY:
        return True
    return threshold >= 0.0 if _missing(kind) == "none" else bool(kind & DEFAULT_LEFT)


def _missing(kind: int) -> str:
    # Bits 2 and 3 of decision_type (LightGBM, include/LightGBM/tree.h).
    return MISSING.get((kind >> 2) & 3, "none")


def _place(child: int, splits: int) -> int:
    # A leaf is stored as the complement of its number (LightGBM, include/LightGBM/tree.h).
    return child if child >= 0 else splits + ~child


def _sets(block: dict[str, str], kinds: list[int], threshold: list[float]) -> dict[int, tuple[int, ...]]:
    """Return the categories of each categorical split, from its words of 32 bits."""
    places = [place for place, kind in enumerate(kinds) if kind & IS_CATEGORY]
    if not places:
        return {}
    starts, words = _numbers(block, "cat_boundaries", int), _numbers(block, "cat_threshold", int)
    found: dict[int, tuple[int, ...]] = {}
    for place in places:
        # The threshold of a split on categories is the number of its set.
        number = int(threshold[place]) if math.isfinite(threshold[place]) else -1
        if not 0 <= number < len(starts) - 1 or not 0 <= starts[number] <= starts[number + 1] <= len(words):
            raise Refused("The categories of a split are outside their list.", AGAIN)
        inside = words[starts[number] : starts[number + 1]]
        found[place] = tuple(32 * i + bit for i, word in enumerate(inside) for bit in range(32) if word >> bit & 1)
    return found


def _zero_missing(blocks: list[dict[str, str]]) -> frozenset[int]:
    """Return the columns where a zero is missing. Raises Refused where another split of such a column sees it otherwise."""
    seen: dict[int, set[bool]] = {}
    for block in blocks:
        for feature, kind in zip(
            _numbers(block, "split_feature", int), _numbers(block, "decision_type", int), strict=True
        ):
            if not kind & IS_CATEGORY:
                seen.setdefault(feature, set()).add(_missing(kind) == "zero")
    if any(len(ways) > 1 for ways in seen.values()):
        raise Refused("A column treats zero as missing in one split but not in another.", AGAIN)
    return frozenset(feature for feature, ways in seen.items() if True in ways)


def _kinds(blocks: list[dict[str, str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for block in blocks:
        for kind in _numbers(block, "decision_type", int):
            counts[_missing(kind)] = counts.get(_missing(kind), 0) + 1
    return counts


def _objective(head: dict[str, str]) -> tuple[str, dict[str, str]]:
    words = head.get("objective", "").split()
    return (words[0][:40] if words else "custom"), dict(w.partition(":")[::2] for w in words[1:])


def _link(objective: str, settings: dict[str, str]) -> str:
    found = LINKS.get(objective, "unknown")
    return "signed_square" if objective == "regression" and "sqrt" in settings else found


def _classes(objective: str, targets: int) -> int:
    return 2 if objective == "binary" else targets if objective.startswith("multiclass") else 0


def _scale(settings: dict[str, str]) -> float:
    try:
        scale = float(settings.get("sigmoid", "1"))
    except ValueError:
        scale = math.nan
    if not 0 < scale < 1e6:
        raise Refused(f"The sigmoid's factor {settings['sigmoid'][:20]!r} is not valid.", AGAIN)
    return scale


def _ranges(head: dict[str, str], features: int) -> dict[int, tuple[float, float]]:
    """Return the smallest and largest value of training by column: of numbers, or of categories."""
    infos = head.get("feature_infos", "").split(" ")
    found: dict[int, tuple[float, float]] = {}
    for place, info in enumerate(infos if len(infos) == features else ()):
        numeric = RANGE.fullmatch(info)
        bounds = list(_floats(numeric.groups() if numeric else info.split(":")))
        if bounds and all(math.isfinite(bound) for bound in bounds):
            found[place] = (min(bounds), max(bounds))
    return found


def _floats(texts: Iterable[str]) -> Iterator[float]:
    for text in texts:
        try:
            yield float(text)
        except ValueError:
            return


def _number(block: dict[str, str], name: str, most: int) -> int:
    text = block.get(name, "")
    if not text.isdecimal() or len(text) > 12 or int(text) > most:
        raise Refused(f"The file says {text[:20]!r} for {name}, which is not valid.", AGAIN)
    return int(text)


def _row(block: dict[str, str], name: str, kind: Callable[[str], N], count: int) -> list[N]:
    found = _numbers(block, name, kind) if count else []
    if len(found) != count:
        raise Refused(f"{name} has {len(found)} values, but {count} are needed.", AGAIN)
    return found


def _numbers(block: dict[str, str], name: str, kind: Callable[[str], N]) -> list[N]:
    try:
        return [kind(text) for text in block.get(name, "").split()]
    except ValueError:
        raise Refused(f"{name} contains something that is not a number.", AGAIN) from None
