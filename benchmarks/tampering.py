"""Whether ``verify.py`` of a package finds one changed bit anywhere: ``python -m benchmarks.tampering PACKAGE.zip [COUNT]``.

Each change is one random bit of one random file of the unpacked zip, ``verify.py`` itself included, and each is judged
by the exit code of the script as a process of its own.
"""

import random
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SEED = 20261201


def found(folder: Path, path: Path, draw: random.Random) -> bool:
    """Change one bit of a file, say whether the script ends otherwise than well, and put the file back."""
    before = path.read_bytes()
    data, place = bytearray(before), draw.randrange(len(before))
    data[place] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    try:
        return subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True).returncode != 0
    finally:
        path.write_bytes(before)


def main() -> int:
    """Print k of n, and each change that was missed."""
    count, draw, missed = int(sys.argv[2]) if len(sys.argv) > 2 else 50, random.Random(SEED), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(sys.argv[1]) as archive:
            archive.extractall(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        honest = subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True).returncode
        for number in range(count):
            path = files[number % len(files)] if number < len(files) else draw.choice(files)
            if not found(folder, path, draw):
                missed.append(path.relative_to(folder).as_posix())
    print(f"{count - len(missed)} of {count} changes found over {len(files)} files; unchanged, the script ends with {honest}.")  # fmt: skip
    for one in missed:
        print(f"missed: a change of {one}")
    return 1 if missed or honest else 0


if __name__ == "__main__":
    sys.exit(main())
