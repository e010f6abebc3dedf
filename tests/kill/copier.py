"""A worker whose one task copies its file slowly, so that there is time to kill it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.doors.worker import main


def copy(args: dict[str, Any], progress: Callable[[float | None, str], None]) -> dict[str, Any]:
    """Copy ``in/model`` to ``out/artifact`` in twenty pieces."""
    content = (Path("in") / "model").read_bytes()
    size = len(content) // 20 + 1
    with (Path("out") / "artifact").open("wb") as out:
        for number in range(20):
            out.write(content[number * size : (number + 1) * size])
            progress(number / 20, "Copying")
            time.sleep(0.003)
    return {}


if __name__ == "__main__":
    main({"copy": copy}, {"bare": (), "light": ()})
