"""The honest files, written once for the run."""

from pathlib import Path

import pytest

from tests.formats.honest import HONEST


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The path of each honest file by its name."""
    folder = tmp_path_factory.mktemp("honest")
    for name, (_, write) in HONEST.items():
        write(folder / name)
    return {name: folder / name for name in HONEST}
