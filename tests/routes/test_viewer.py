"""The viewer's page cannot leave its sandbox, does not grow old, and serves nothing but its own files."""

import datetime

import httpx
import pytest

from core.doors.routes import viewer


def test_the_page_is_of_today_and_in_a_sandbox(stranger: httpx.Client, server: object) -> None:
    answer = stranger.get("/netron/")
    assert f'content="{datetime.date.today()}' in answer.text
    assert '<meta name="version" content="0.0.0">' in answer.text
    assert "Content-Security-Policy" not in answer.text
    assert answer.text.index(viewer.SHIM_NAME) < answer.text.index("index.js")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts allow-downloads; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert f"connect-src 'self' 127.0.0.1:{server.port}/netron/ 127.0.0.1:{server.port}/graph/" in policy  # type: ignore[attr-defined]


def test_its_files_may_be_read_by_a_page_without_an_origin(stranger: httpx.Client) -> None:
    for name, kind in (
        ("index.js", "text/javascript"),
        ("onnx-metadata.json", "application/json"),
        (viewer.SHIM_NAME, "text/javascript"),
    ):
        answer = stranger.get(f"/netron/{name}", headers={"Origin": "null"})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize(
    "path",
    [
        "server.py",
        "__init__.py",
        "../netron/server.py",
        "%2e%2e/streamlit/__init__.py",
        "..%2f..%2fapp.py",
        "%2Fetc%2Fpasswd",
        "a/b.js",
        "index.js%00.png",
    ],
)
def test_nothing_else_is_served(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(httpx.URL(str(stranger.base_url)).copy_with(raw_path=f"/netron/{path}".encode()))
    assert answer.status_code in (400, 404)
    assert "import" not in answer.text
