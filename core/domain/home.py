"""Where a user's data lives."""

import os
from pathlib import Path


def default_home() -> Path:
    """Return ``PORTOLAN_HOME``, or the platform's folder for user data."""
    import platformdirs

    chosen = os.environ.get("PORTOLAN_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("portolan", appauthor=False))
