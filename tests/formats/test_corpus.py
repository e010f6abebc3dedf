"""The hostile corpus is refused in words, changed files of every kind end well at the real border, and the bait notices what gets out."""

import random
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.mutations.__main__ import attacked, border, told
from benchmarks.mutations.bait import Bait
from benchmarks.mutations.change import structured
from benchmarks.mutations.specimens import DATA
from benchmarks.mutations.trial import Trial, wording
from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import PortolanError, Refused, our_fault
from core.formats import FORMATS
from core.proof.datasets import read_dataset
from tests.formats.verdict import refused
from tests.hostile.corpus import CORPUS, FRESH, Attack

FOUR = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 3)),))
SEED, MUTATIONS, ATTACKS = 14, 10, 10
QUICK = ("onnx", "litert", "xgboost", "pmml", "safetensors", "lightgbm", "openvino", "saved_model", "data")
"""Formats whose libraries take no seconds to import."""


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Bait]:
    """Bait in a folder of its own."""
    (tmp_path / "outside").mkdir()
    with closing(Bait(tmp_path / "outside")) as laid:
        yield laid


def test_every_format_is_attacked_and_no_attack_is_there_twice() -> None:
    counts = Counter(one.format for one in CORPUS)
    assert len(CORPUS) >= 600
    assert min(counts[format.id] for format in FORMATS) >= 9
    assert len({(str(one), one.file) for one in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("attack", FRESH, ids=str)
def test_a_hostile_file_is_refused_in_words(attack: Attack, honest: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / attack.file
    path.write_bytes(attack.make(honest))
    if attack.format != "data":
        assert bool(refused(path)) is not attack.harmless
        return
    with pytest.raises(Refused) as caught:
        read_dataset(path, None, FOUR)
    assert caught.value.next_step


@pytest.mark.parametrize("name", ["linear.onnx", "dense.tflite", "cnn.keras", "net.pt2", "penguins.pkl", "boosted.json", "penguins.pmml", "boosted.txt", "cnn.h5", "weights.safetensors", "penguins-xz.joblib"])  # fmt: skip
def test_the_structure_of_every_kind_is_changed(name: str, honest: dict[str, Path], bait: Bait) -> None:
    data = honest[name].read_bytes()
    changed = [structured(data, name, random.Random(seed), bait) for seed in range(8)]
    assert len({one for one in changed if one not in (None, data)}) >= 4


def test_a_part_of_the_corpus_and_of_the_changed_files_ends_well_at_the_real_border(
    honest: dict[str, Path], tmp_path: Path
) -> None:
    dice = random.Random(SEED)
    with border(tmp_path, next(iter(honest.values())).parent, None) as here:
        found = attacked(here, honest, dice.sample(FRESH, ATTACKS))
        quick = [n for n in range(2000) if here.honest[n % len(here.honest)].format in QUICK]
        found += [here.trial(SEED, number) for number in dice.sample(quick, MUTATIONS)]
    assert told(found)["findings"] == 0, [one for one in found if one.faults]
    assert len({one.format for one in found}) > 5


def write(bait: Bait) -> object:
    """Write where nobody may."""
    return bait.written.write_text("x")


def call(bait: Bait) -> object:
    """Call where nobody may."""
    return socket.create_connection(("127.0.0.1", int(bait.url.split(":")[2].split("/")[0]))).close()


OUT: dict[str, tuple[Callable[[Bait], object], str]] = {
    "made": (write, "file was made"),
    "changed": (lambda bait: bait.secret.write_text(bait.token), "was changed"),
    "called": (call, "network"),
}


@pytest.mark.parametrize("act", OUT)
def test_the_bait_notices_what_gets_out(act: str, bait: Bait) -> None:
    assert bait.touched("nothing") == []
    OUT[act][0](bait)
    assert OUT[act][1] in " ".join(bait.touched("nothing"))


def test_the_bait_notices_what_was_read_and_what_was_left(bait: Bait) -> None:
    assert "read" in bait.touched(f"an answer with {bait.token} in it")[0]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as left:
        assert "process was left" in " ".join(bait.touched(""))
        left.kill()
    assert bait.touched("") == []


def test_words_that_are_none_for_people_are_findings(bait: Bait) -> None:
    good = Refused("The file is damaged.", "Save it again.")
    assert wording(good, bait) == []
    said: dict[PortolanError, str] = {
        our_fault(ValueError("x")): "our fault",
        Refused("Traceback (most recent call last).", "Save it again."): "raw text",
        Refused("/usr/lib/python3/x.py is odd.", "Save it again."): "raw text",
        Refused("It is odd."): "no next step",
    }
    for error, fault in said.items():
        assert any(fault in one for one in wording(error, bait))


def test_one_that_is_taken_and_one_that_gets_out_are_told() -> None:
    one = Trial(0, "m.onnx", "onnx", "bytes", "run", "accepted", "", 1.0, ("ESCAPE: the network was reached",))
    found = told([one])
    assert (found["escapes"], found["findings"]) == (1, 1)


@pytest.mark.parametrize("name", DATA)
def test_the_honest_data_sets_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(DATA[name]())
    assert read_dataset(tmp_path / name, None, FOUR).inputs["x"].shape == (12, 4)
