"""Trains the samples and writes their folders: ``python -m sample_models.build --data FOLDER [--only ID ...] [-o OUT]``.

The switches below must stand before torch and the linear algebra are loaded: they choose the same arithmetic on every
processor with AVX2. The number of threads is fixed too, because it decides the order of sums.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(MKL_CBWR="AVX2", ONEDNN_MAX_CPU_ISA="AVX2", ATEN_CPU_CAPABILITY="avx2", OPENBLAS_CORETYPE="Haswell")

import torch

from sample_models import card, fashion, penguins, segment, spam

THREADS = 2
BUILDERS: dict[str, Callable[[Path, Path, Path], dict[str, Any]]] = {
    "fashion_cnn": fashion.build,
    "penguins": penguins.build,
    "segment": segment.build,
    "spam_transformer": spam.build,
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m sample_models.build", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data packages, see README.md")
    parser.add_argument("--fashion", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--only", nargs="+", choices=list(BUILDERS), default=list(BUILDERS))
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent)
    return parser.parse_args()


def main() -> None:
    """Build the chosen samples one after the other."""
    chosen = arguments()
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    for name in chosen.only:
        started, folder = time.monotonic(), chosen.out / name
        folder.mkdir(parents=True, exist_ok=True)
        content = BUILDERS[name](chosen.data, chosen.fashion, folder)
        card.write(folder, content)
        right = content["accuracy"]
        print(f"{name}: {right['k']} of {right['n']} right, {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
