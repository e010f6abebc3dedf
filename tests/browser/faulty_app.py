"""The real app with one fault planted in every conversion, to see that nobody can miss it."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from app import main
from core.doors import workspace
from core.verbs import convert
from tests.faults import Faulty

workspace.VERBS["convert"] = replace(
    workspace.VERBS["convert"], run=lambda tools, args: convert.on(Faulty(tools), args)
)

if __name__ == "__main__":
    main()
