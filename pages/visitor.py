"""Who is looking at the page, and at which library: the person's who signed in, a project's, or the browser's own."""

import streamlit as st

from core.domain.errors import NotFound
from core.domain.person import Person
from core.doors import places, signin
from core.doors.places import Place
from core.doors.routes import people, visitors
from core.doors.routes.answers import NotSignedIn

CHOSEN = "place"
"""The owner of the chosen place, in the session and in the address, so that a reload stays there."""


def person() -> Person | None:
    """Return who signed in, asked anew each time: a sign-in ends while pages are open."""
    return people.of(st.context.cookies)


def here() -> list[Place]:
    """Return where the visitor may work, their own library first. Raises NotSignedIn, after an attempt to begin the page again."""
    if found := person():
        return places.of_person(found, visitors.identity(st.context.cookies.get(visitors.COOKIE)))
    if signin.needed():
        st.rerun()
        raise NotSignedIn("You are not signed in, or your sign-in is over.", "Reload the page and sign in.")
    return [places.anonymous(browser())]


def place() -> Place:
    """Return where the visitor works now: what was chosen last, unless it is theirs no more."""
    found = here()
    try:
        return places.named(found, st.session_state.get(CHOSEN, st.query_params.get(CHOSEN)))
    except NotFound:
        return found[0]


def own() -> Place:
    """Return the visitor's own library, wherever they work now."""
    return here()[0]


def visitor() -> str:
    """Return the visitor whose rows the page may show."""
    return place().owner


def browser() -> str:
    """Return the visitor of this browser without anybody's name; asked once and kept for the session."""
    if "visitor" not in st.session_state:
        token = st.context.cookies.get(visitors.COOKIE)
        st.session_state["visitor"] = visitors.identity(token) or visitors.new_identity()
    return str(st.session_state["visitor"])
