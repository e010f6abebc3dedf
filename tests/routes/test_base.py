"""Everything below one path, as a proxy needs it that serves other things beside us."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from core.doors.routes import links
from tests.proxying import Proxy, proxied
from tests.routes.conftest import WRITER
from tests.serving import ROOT, Server

FASHION = ROOT / "sample_models" / "fashion_cnn" / "model.onnx"


@pytest.fixture(scope="module")
def based(serve: Callable[..., Server]) -> Iterator[Server]:
    server = serve(PORTOLAN_BASE_PATH="/team/portolan/")
    yield server
    server.stop()


@pytest.fixture
def proxy(based: Server) -> Iterator[Proxy]:
    with proxied(based.port, "/team/portolan") as one:
        yield one


def test_every_route_answers_below_the_path(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, based: Server) -> None:
    with httpx.Client(base_url=proxy.url, timeout=60, headers=WRITER) as client:
        page = client.get("/")
        assert "<title>" in page.text
        for path in ("/healthz", "/readyz", "/_stcore/health", "/netron/", "/netron/index.js"):
            assert client.get(path).status_code == 200, path
        assert client.get("/metrics").status_code == 403
        assert client.get("/_stcore/metrics").status_code == 404
        assert client.get("/files/a/b/c/d").json()["error"]["kind"] == "not found"
        answer = client.put("/api/data?name=m.npz", content=b"some data")
        assert answer.status_code == 201
        assert (
            f"{client.base_url.netloc.decode()}/team/portolan/graph/"
            in client.get("/netron/").headers["Content-Security-Policy"]
        )
        monkeypatch.setenv("PORTOLAN_BASE_PATH", "team/portolan")
        link = links.Signer(links.key(based.home)).link("files", answer.json()["sha256"], "m.npz")
        assert link.startswith("/team/portolan/files/")
        origin = proxy.url.removesuffix("/team/portolan")
        assert httpx.get(origin + link).content == b"some data"
    assert proxy.elsewhere == []


def test_a_path_that_is_none_is_refused_at_the_start(serve: Callable[..., Server]) -> None:
    with pytest.raises(RuntimeError, match="PORTOLAN_BASE_PATH is '/a b', but must be a path such as /portolan"):
        serve(PORTOLAN_BASE_PATH="/a b")
