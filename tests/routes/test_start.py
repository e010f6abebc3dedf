"""The server starts in the two ways that the README names, says where it is, and ends in good order."""

import os
import subprocess
import sys
from collections.abc import Callable

import httpx

from tests.serving import ROOT, Server


def test_python_app_says_where_it_is_and_ends_well(serve: Callable[..., Server]) -> None:
    server = serve()
    assert server.url in server.log.read_text()
    assert server.stop() in (0, -15, 143)
    assert "Traceback" not in server.log.read_text()


def test_streamlit_run_serves_the_same_app(serve: Callable[..., Server]) -> None:
    server = serve("-m", "streamlit", "run", "app.py", "--server.port={port}", "--server.headless=true")
    assert httpx.get(server.url).headers["content-security-policy"]
    assert server.url in server.log.read_text()


def test_the_first_page_is_there_at_once(serve: Callable[..., Server]) -> None:
    server = serve()
    assert httpx.get(server.url).elapsed.total_seconds() < 1


def test_a_second_server_of_the_same_folder_ends_with_a_sentence(server: Server) -> None:
    environment = {**os.environ, "PORTOLAN_HOME": str(server.home), "PORTOLAN_PORT": "0"}
    words = [sys.executable, "app.py"]
    run = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert run.stderr.strip().endswith(".")
