"""A process that drives a hanging child, to be killed by a test: prints the child's id once it hangs."""

import sys
import time
from pathlib import Path

from core.domain.limits import Limits
from core.sandbox import Sandbox


def tell(fraction: float | None, text: str) -> None:
    """Print the id that the child sent as progress."""
    print(text, flush=True)


if __name__ == "__main__":
    sandbox = Sandbox(Path(sys.argv[1]), "tests.hostile.attacks")
    with sandbox.run("hang", {}, {}, Limits(wall_seconds=60), kind="bare", progress=tell):
        time.sleep(60)
