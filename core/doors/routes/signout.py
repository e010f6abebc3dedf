"""What this server adds where Streamlit signs people in and out."""

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import Scope

from core.doors import workspace
from core.doors.routes import cookies, people
from core.doors.routes.answers import Forbidden

FAILED = "sign-in-failed"
"""What stands in the address when somebody comes back from the provider and is not signed in."""


async def noted(scope: Scope) -> None:
    """Before somebody is signed out, end their sign-ins in every browser. Raises Forbidden where another site asks for it."""
    if scope["type"] != "http" or not scope["path"].endswith("/auth/logout"):
        return
    asked = HTTPConnection(scope)
    if asked.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("Another site asked to sign you out.", "Use the button on the page.")
    if person := await to_thread.run_sync(people.of, asked.cookies):
        await to_thread.run_sync(workspace.current().store.people.sign_out, person.id)


def explained(scope: Scope, headers: MutableHeaders) -> None:
    """Let the page know where the provider's answer was not accepted; Streamlit leads back without a word."""
    if not scope["path"].endswith("/oauth2callback") or not scope.get("query_string"):
        return
    if not any(
        value.startswith(f"{cookies.PERSON}=") and "Max-Age=0" not in value for value in headers.getlist("set-cookie")
    ):
        headers["location"] = f"{headers.get('location', '/')}?{FAILED}=1"
