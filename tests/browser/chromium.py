"""A headless Chromium of this machine."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def launched(playwright: Playwright) -> Browser:
    """Start the Chromium that ``PORTOLAN_CHROMIUM`` names, or the first that is found."""
    names = (os.environ.get("PORTOLAN_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    path = next(found for name in names if name and (found := shutil.which(name)))
    return playwright.chromium.launch(executable_path=path, args=FLAGS)
