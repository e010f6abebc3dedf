"""Who is looking at the page: the person who signed in, else the browser's cookie, else a random identity for this session."""

import streamlit as st

from core.domain.person import Person
from core.doors import signin
from core.doors.routes import people, visitors
from core.doors.routes.answers import NotSignedIn


def person() -> Person | None:
    """Return who signed in, asked anew each time: a sign-in ends while pages are open."""
    return people.of(st.context.cookies)


def visitor() -> str:
    """Return the visitor whose rows the page may show. Raises NotSignedIn, after an attempt to begin the page again."""
    if found := person():
        return found.id
    if signin.needed():
        st.rerun()
        raise NotSignedIn("You are not signed in, or your sign-in is over.", "Reload the page and sign in.")
    return browser()


def browser() -> str:
    """Return the visitor of this browser without anybody's name; asked once and kept for the session."""
    if "visitor" not in st.session_state:
        token = st.context.cookies.get(visitors.COOKIE)
        st.session_state["visitor"] = visitors.identity(token) or visitors.new_identity()
    return str(st.session_state["visitor"])
