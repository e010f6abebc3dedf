"""The door: where people sign in, and who is in."""

from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

from core.domain.person import Person, Role
from core.doors import places, signin
from core.doors.routes.signout import FAILED
from pages.visitor import CHOSEN, here, place
from pages.widgets.text import plain


def closed() -> None:
    """Show nothing but the way in."""
    with st.container(horizontal_alignment="center"):
        st.title("Portolan", text_alignment="center")
        st.caption("Convert and compress models, with proof. Sign in to see your library.", text_alignment="center")
        if st.query_params.get(FAILED):
            st.warning(
                "You were not signed in: the answer of the sign-in page was refused, too late or not accepted. "
                "Try again; the server's log says why.",
                icon=":material/key_off:",
            )
        way_in("primary")


def bar(who: Person | None) -> None:
    """Say who is in and where, with the way out; for an anonymous visitor the way in, where there is one."""
    if signin.provider() is None:
        return
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="bottom"):
        if who is None:
            way_in("secondary")
            return
        where()
        with st.popover(plain(who.name, 40), icon=":material/account_circle:"):
            st.markdown(f"**{plain(who.name, 200)}**")
            st.caption(f"{plain(who.email, 200)}{' · ' if who.email else ''}{who.role}")
            st.button("Sign out", icon=":material/logout:", key="sign-out", on_click=st.logout)
    if not place().role.allows(Role.MEMBER):
        st.caption(
            ":material/visibility: You are a viewer here: you can open and download everything, and change nothing."
        )


def where() -> None:
    """Let a person choose between their library and their projects; a model or job in the address leads to its own."""
    found = here()
    if asked := places.holding(found, st.query_params):
        st.session_state[CHOSEN] = asked.owner
    now = place()
    if now.owner != found[0].owner:
        st.query_params[CHOSEN] = now.owner
    if len(found) == 1:
        return
    names = {one.owner: one.name for one in found}
    st.session_state["chosen-place"] = now.owner
    st.selectbox(
        "Library",
        list(names),
        format_func=names.__getitem__,
        key="chosen-place",
        label_visibility="collapsed",
        width=260,
        on_change=go,
    )


def go() -> None:
    """Work in another place from now on; what the address names is of the last one."""
    st.session_state[CHOSEN] = st.session_state["chosen-place"]
    st.query_params.clear()


def way_in(kind: Literal["primary", "secondary"]) -> None:
    """Draw the button that leads to the provider; at another address than the server's own, a link to that."""
    home, here = urlsplit(signin.url()), urlsplit(st.context.url or signin.url())
    if (home.scheme, home.netloc) != (here.scheme, here.netloc):
        st.link_button(f"Sign in at {home.netloc}", signin.url(), icon=":material/login:")
        return
    st.button("Sign in", icon=":material/login:", type=kind, key="sign-in", on_click=st.login)
