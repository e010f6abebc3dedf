"""A small OpenID provider: authorization code with PKCE, discovery and JWKS, by Authlib's server side, on a port of its own.

It lists its people and lets the browser choose one, as a provider with a single sign-on session does after a password.
``mischief`` changes the claims or the key of the next identity tokens, to see that a client refuses them.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import uvicorn
from authlib.oauth2 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.serving import free_port

CLIENT, SECRET = "portolan", "the client's secret & more"
ANN = {"sub": "1001", "name": "Ann Arber", "email": "ann@example.org", "email_verified": True}
BEN = {"sub": "1002", "name": "Ben *Bold*", "email": "ben@example.org", "email_verified": True}
VIC = {"sub": "1003", "name": "Vic Viewer", "email": "vic@example.org", "email_verified": True}


@dataclass
class Client(ClientMixin):
    """The one client: Portolan, which proves itself by its secret."""

    redirect_uris: set[str] = field(default_factory=set)

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return next(iter(self.redirect_uris))

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(word for word in scope.split() if word in ("openid", "email", "profile"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(client_secret, SECRET)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code:
    """One authorization code, good once."""

    code: str
    redirect_uri: str
    scope: str
    user: dict[str, Any]
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Codes(AuthorizationCodeGrant):
    """Codes, kept in the server's memory until they are used."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        given = request.payload.data
        self.server.codes[code] = Code(
            code, given["redirect_uri"], given["scope"], request.user,
            given.get("nonce", ""), given.get("code_challenge", ""), given.get("code_challenge_method", ""),
        )  # fmt: skip

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return self.server.codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> dict[str, Any]:
        return authorization_code.user


class Identity(OpenIDCode):
    """The identity token: the person's claims, signed by the provider's key."""

    def __init__(self, provider: "Provider") -> None:
        super().__init__(require_nonce=True)
        self.provider = provider

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        return any(code.nonce == nonce for code in self.provider.codes.values())

    def resolve_client_private_key(self, client: Client) -> Any:
        return self.provider.mischief.get("key", self.provider.key)

    def get_client_algorithm(self, client: Client) -> str:
        return str(self.provider.mischief.get("alg", "RS256"))

    def get_encode_header(self, client: Client) -> dict[str, str]:
        return {"alg": self.get_client_algorithm(client), "kid": self.provider.key.kid}

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {"iss": self.provider.url, "aud": [CLIENT]}

    def generate_user_info(self, user: dict[str, Any], scope: str) -> UserInfo:
        return UserInfo(**user | self.provider.mischief.get("claims", {}))


class Provider(AuthorizationServer):  # type: ignore[misc]
    """The provider; ``url`` is its issuer."""

    def __init__(self, *people: dict[str, Any]) -> None:
        super().__init__(scopes_supported=["openid", "email", "profile"])
        self.people = {person["sub"]: person for person in people}
        self.client = Client()
        self.codes: dict[str, Code] = {}
        self.mischief: dict[str, Any] = {}
        self.port = free_port()
        self.register_token_generator("default", BearerTokenGenerator(lambda **_: secrets.token_urlsafe(32)))
        self.register_grant(Codes, [Identity(self), CodeChallenge(required=True)])

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://localhost:{self.port}"

    @cached_property
    def key(self) -> RSAKey:
        """What signs identity tokens."""
        return RSAKey.generate_key(2048, auto_kid=True)

    def query_client(self, client_id: str) -> Client | None:
        return self.client if client_id == CLIENT else None

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Access tokens open nothing here."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        content = json.dumps(body) if isinstance(body, dict) else str(body)
        return Response(content, status, dict(headers))

    async def asked(self, request: Request) -> OAuth2Request:
        """Return a request of the web as Authlib knows them."""
        form = {name: str(value) for name, value in (await request.form()).items()}
        values = {**request.query_params, **form}
        found = Asked(request.method, f"{self.url}{request.url.path}", headers=request.headers)
        found.payload, found.fields = BasicOAuth2Payload(values), (dict(request.query_params), form)
        return found

    async def authorize(self, request: Request) -> Response:
        """Let the browser choose a person, and send it back with a code."""
        asked = await self.asked(request)
        grant = self.get_consent_grant(asked)
        if request.method == "GET":
            return HTMLResponse("<h1>Who are you?</h1>" + "".join(map(self.entry, self.people.values())))
        user = self.people.get(asked.payload.data["person"])
        return self.create_authorization_response(asked, grant_user=user, grant=grant)

    def entry(self, person: dict[str, Any]) -> str:
        """Return the button of one person."""
        button = f'<button name="person" value="{person["sub"]}">{escape(person["name"])}</button>'
        return f'<form method="post">{button}</form>'

    async def token(self, request: Request) -> Response:
        """Give tokens for a code."""
        return await run_in_threadpool(self.create_token_response, await self.asked(request))

    def discovery(self, request: Request) -> Response:
        """Say where everything is."""
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "end_session_endpoint": f"{self.url}/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            }
        )

    def jwks(self, request: Request) -> Response:
        """Publish the key's public half."""
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    def logout(self, request: Request) -> Response:
        """End the session here, and lead back to where the client is known to live."""
        back = request.query_params["post_logout_redirect_uri"]
        return RedirectResponse(back) if self.client.check_redirect_uri(back) else Response("no such client", 400)

    @contextmanager
    def running(self) -> Iterator["Provider"]:
        """Answer on the port until the block ends."""
        routes = [
            Route("/.well-known/openid-configuration", self.discovery),
            Route("/authorize", self.authorize, methods=["GET", "POST"]),
            Route("/token", self.token, methods=["POST"]),
            Route("/jwks", self.jwks),
            Route("/logout", self.logout),
        ]
        config = uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=self.port, log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield self
        server.should_exit = True
        thread.join(10)

    @contextmanager
    def up_to(self, **mischief: Any) -> Iterator[None]:
        """Sign wrong tokens for a while."""
        self.mischief = mischief
        yield
        self.mischief = {}

    def settings(self, port: int) -> dict[str, str]:
        """Return what a server on a port needs in its environment to use this provider, and let it in as a client."""
        home = f"http://localhost:{port}"
        self.client.redirect_uris.add(f"{home}/oauth2callback")
        return {
            "PORTOLAN_OIDC_ISSUER": self.url,
            "PORTOLAN_OIDC_CLIENT_ID": CLIENT,
            "PORTOLAN_OIDC_CLIENT_SECRET": SECRET,
            "PORTOLAN_URL": home,
        }


class Asked(OAuth2Request):  # type: ignore[misc]
    """A request with its query and its form, as Authlib asks for them."""

    fields: tuple[dict[str, str], dict[str, str]] = ({}, {})

    @property
    def args(self) -> dict[str, str]:
        return self.fields[0]

    @property
    def form(self) -> dict[str, str]:
        return self.fields[1]


Wrong = Callable[[Provider], dict[str, Any]]
WRONG: dict[str, Wrong] = {
    "signed by another key": lambda provider: {"key": RSAKey.generate_key(2048)},
    "signed by the public key as a secret": lambda provider: {
        "key": OctKey.import_key({"kty": "oct", "k": provider.key.as_dict(private=False)["n"]}), "alg": "HS256",
    },
    "not signed": lambda provider: {"key": OctKey.generate_key(256), "alg": "none"},
    "of another issuer": lambda provider: {"claims": {"iss": "http://localhost:1"}},
    "for another client": lambda provider: {"claims": {"aud": ["somebody-else"]}},
    "of another sign-in": lambda provider: {"claims": {"nonce": "replayed"}},
    "expired": lambda provider: {"claims": {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200}},
    "without a subject": lambda provider: {"claims": {"sub": ""}},
}  # fmt: skip
"""Identity tokens that no client may take."""
