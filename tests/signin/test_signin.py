"""Who signs in is known on every route, nobody else gets in, and nothing forged or old is taken for a sign-in."""

import json
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from itsdangerous import URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from core.doors.routes import cookies
from tests.serving import Server, free_port
from tests.signin.conftest import at_the_door, choose, home, leave_for_provider, secret, signed_in
from tests.signin.provider import ANN, BEN, WRONG, Provider

MODEL = b"not a model, and a file all the same"


def bring(client: httpx.Client) -> str:
    """Upload a file, and return the id of the job that reads it."""
    answer = client.put("/api/models?name=mine.onnx", content=MODEL)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job"])


def status(client: httpx.Client, job: str) -> int:
    """Ask for a job, and return the answer's status."""
    return client.get(f"/api/jobs/{job}").status_code


def test_nobody_gets_in_without_signing_in(team: Server) -> None:
    with at_the_door(team) as client:
        for answer in (
            client.put("/api/models?name=a.onnx", content=MODEL),
            client.put("/api/data?name=a.csv", content=MODEL),
            client.get("/api/jobs/x"),
            client.post("/api/jobs/x/cancel"),
        ):
            assert answer.status_code == 401
            assert "sign" in answer.json()["error"]["next_step"]
        assert cookies.VISITOR not in client.cookies
        client.cookies.set(cookies.VISITOR, "a" * 43)
        assert client.get("/api/jobs/x").status_code == 401
        assert client.get("/healthz").status_code == 200


def test_the_walk_has_a_state_a_nonce_and_pkce(team: Server) -> None:
    with at_the_door(team) as client:
        question = leave_for_provider(team, client)
    asked = parse_qs(urlsplit(question.headers["location"]).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert all(len(asked[name][0]) >= 20 for name in ("state", "nonce", "code_challenge"))


def test_a_library_follows_its_person_and_nobody_else(team: Server) -> None:
    with signed_in(team, ANN) as here, signed_in(team, ANN) as there, signed_in(team, BEN) as other:
        job = bring(here)
        assert status(here, job) == 200
        assert status(there, job) == 200
        assert status(other, job) == 404


def test_below_a_path_the_provider_leads_back_there(serve: Callable[..., Server], provider: Provider) -> None:
    port = free_port()
    settings = provider.settings(port)
    own = f"{settings.pop('PORTOLAN_URL')}/portolan/oauth2callback"
    provider.client.redirect_uris.add(own)
    server = serve(PORTOLAN_PORT=str(port), PORTOLAN_BASE_PATH="/portolan", **settings)
    with at_the_door(server, "/portolan") as client:
        back = choose(client, leave_for_provider(server, client), ANN).headers["location"]
        assert back.startswith(f"{own}?")
        assert client.get(back).headers["location"] == "/portolan/"
        bring(client)


def test_uploads_at_once_are_counted_by_person(serve: Callable[..., Server], provider: Provider) -> None:
    """Both come from one address, and neither has a cookie but that of the sign-in."""
    port = free_port()
    server = serve(PORTOLAN_PORT=str(port), PORTOLAN_VISITOR_UPLOADS="1", **provider.settings(port))
    begun, go_on = Event(), Event()

    def slowly() -> Iterator[bytes]:
        yield MODEL
        begun.set()
        go_on.wait(30)

    with signed_in(server, ANN) as ann, signed_in(server, ANN) as again, signed_in(server, BEN) as ben:
        first = Thread(target=lambda: ann.put("/api/models?name=slow.onnx", content=slowly()))
        first.start()
        assert begun.wait(30)
        while (second := again.put("/api/models?name=mine.onnx", content=MODEL)).status_code == 202:
            pass  # until the first one has arrived
        assert second.status_code == 429
        bring(ben)
        go_on.set()
        first.join(30)


def test_signing_out_ends_every_copy_of_the_cookie(team: Server) -> None:
    with signed_in(team, ANN) as here, signed_in(team, BEN) as other:
        stolen = dict(here.cookies)
        time.sleep(1)
        left = here.get("/auth/logout")
        assert urlsplit(left.headers["location"]).path == "/logout"
        back = here.get(left.headers["location"])
        assert here.get(back.headers["location"]).headers["location"] == "/"
        assert status(here, "x") == 401
        assert httpx.get(home(team) + "/api/jobs/x", cookies=stolen).status_code == 401
        assert status(other, "x") == 404
    time.sleep(1)
    with signed_in(team, ANN) as again:
        assert status(again, "x") == 404


def test_another_site_signs_nobody_out(team: Server) -> None:
    with signed_in(team, BEN) as client:
        assert client.get("/auth/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert status(client, "x") == 404


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_token_signs_nobody_in(team: Server, provider: Provider, kind: str) -> None:
    with at_the_door(team) as client, provider.up_to(**WRONG[kind](provider)):
        back = choose(client, leave_for_provider(team, client), ANN)
        landed = client.get(back.headers["location"])
        assert status(client, "x") == 401, landed.headers
    if kind not in ("of another issuer", "for another client", "without a subject"):
        assert landed.headers["location"].endswith("?sign-in-failed=1")


def test_a_code_is_good_once_and_for_its_own_browser(team: Server) -> None:
    with at_the_door(team) as victim, at_the_door(team) as thief:
        back = choose(victim, leave_for_provider(team, victim), ANN).headers["location"]
        thief.get(back)
        assert status(thief, "x") == 401
        victim.get(back)
        assert status(victim, "x") == 404
        leave_for_provider(team, thief)
        thief.get(back)
        assert status(thief, "x") == 401


def claims(team: Server, provider: Provider, **other: Any) -> dict[str, Any]:
    """Return what a cookie of Ben says, who never signs out here."""
    told = {"iss": provider.url, "aud": ["portolan"], "origin": home(team), "is_logged_in": True, "provider": "default"}
    return {**BEN, **told, **other}


def asked_with(team: Server, value: str, **more: str) -> int:
    """Ask with an identity cookie, and return the answer's status."""
    return httpx.get(home(team) + "/api/jobs/x", cookies={cookies.PERSON: value, **more}).status_code


def signed(key: str, value: str, name: str = cookies.PERSON, age: float = 0) -> str:
    """Sign a cookie as Streamlit does, some seconds ago."""

    class Signer(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time() - age)

    return str(URLSafeTimedSerializer(key, salt=name, signer=Signer).dumps(value))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 404),
        ({"iss": "https://elsewhere.example"}, 401),
        ({"aud": "somebody-else"}, 401),
        ({"origin": "http://evil.example"}, 401),
        ({"is_logged_in": False}, 401),
        ({"is_logged_in": "true"}, 401),
        ({"sub": ""}, 401),
        ({"sub": ["1001"]}, 401),
    ],
)
def test_a_cookie_counts_for_this_server_and_its_provider(
    team: Server, provider: Provider, changed: dict[str, Any], expected: int
) -> None:
    assert asked_with(team, signed(secret(team), json.dumps(claims(team, provider, **changed)))) == expected


def test_forged_and_expired_cookies_are_refused(team: Server, provider: Provider) -> None:
    key, text = secret(team), json.dumps(claims(team, provider))
    good = signed(key, text)
    assert asked_with(team, good) == 404
    assert asked_with(team, signed(key, text, age=12 * 3600 - 60)) == 404
    for bad in (
        signed(key, text, age=12 * 3600 + 60),
        signed("another secret", text),
        signed(key, text, name="_streamlit_user_tokens"),
        good[:-9] + ("A" if good[-9] != "A" else "B") + good[-8:],  # the last one has bits that count for nothing
        "x" + good,
        text,
        "",
        signed(key, "[]"),
        signed(key, "chunks-99999999999"),
        signed(key, "chunks-x"),
        signed(key, text[:-1] + ', "sub": "1001"}'),
    ):
        assert asked_with(team, bad) == 401, bad


def test_pieces_of_two_sign_ins_make_no_third(team: Server, provider: Provider) -> None:
    key, text = secret(team), json.dumps(claims(team, provider))
    first, second = f"{cookies.PERSON}_1", f"{cookies.PERSON}_2"

    def pieces(age: float) -> dict[str, str]:
        return {first: signed(key, text[:50], first), second: signed(key, text[50:], second, age)}

    assert asked_with(team, signed(key, "chunks-2"), **pieces(0)) == 404
    assert asked_with(team, signed(key, "chunks-2"), **pieces(60)) == 401
    assert asked_with(team, signed(key, "chunks-3"), **pieces(0)) == 401


def test_behind_https_cookies_are_of_this_host_alone(serve: Callable[..., Server], provider: Provider) -> None:
    told = {**provider.settings(1), "PORTOLAN_URL": "https://models.example.org", "PORTOLAN_ANONYMOUS": "1"}
    server = serve(**told)
    text = json.dumps({**claims(server, provider), "origin": "https://models.example.org"})
    cookie = signed(secret(server), text)

    def ask(sent: str) -> httpx.Response:
        return httpx.get(f"{server.url}/api/jobs/x", headers={"Host": "models.example.org", "Cookie": sent})

    assert ask(f"__Host-{cookies.PERSON}={cookie}").status_code == 404
    assert ask(f"{cookies.PERSON}={cookie}").status_code == 403
    given = httpx.get(server.url, headers={"Host": "models.example.org"}).headers.get_list("set-cookie")
    visitor = next(value for value in given if cookies.VISITOR in value)
    assert visitor.startswith(f"__Host-{cookies.VISITOR}=")
    assert all("; Secure" in value and "Domain" not in value for value in given)
    assert "; Path=/" in visitor
    token = visitor.partition(";")[0]
    assert ask(token).status_code == 404
    assert ask(token.removeprefix("__Host-")).status_code == 403


def test_the_secret_is_in_no_file_and_in_no_answer(team: Server, provider: Provider) -> None:
    with signed_in(team, ANN) as client:
        bring(client)
        assert "secret & more" not in client.get("/").text
    for path in team.home.rglob("*"):
        if path.is_file():
            assert b"secret & more" not in path.read_bytes(), path


def test_a_session_that_the_client_names_is_not_given(team: Server) -> None:
    with signed_in(team, ANN) as ann, signed_in(team, BEN) as ben:
        first = session(team, ann)
        assert session(team, ann, first) != first
        assert session(team, ben, first) != first


def session(team: Server, client: httpx.Client, wish: str = "") -> str:
    """Open the page's websocket as a browser does, wishing for a session, and return the id of the one that it got."""
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    wishes = [Subprotocol(word) for word in ("streamlit", client.cookies.get("_streamlit_xsrf", "none"), wish) if word]
    address = f"ws://localhost:{team.port}/_stcore/stream"
    with connect(
        address, origin=Origin(home(team)), additional_headers={"Cookie": cookie}, subprotocols=wishes
    ) as line:
        start = BackMsg()
        start.rerun_script.query_string = ""
        line.send(start.SerializeToString())
        while True:
            message = ForwardMsg.FromString(line.recv(60, decode=False))
            if message.WhichOneof("type") == "new_session":
                return str(message.new_session.initialize.session_id)
