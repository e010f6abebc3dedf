"""A figure that people look for first, in a frame; those of one row are equally high."""

from functools import partial

import streamlit as st

figure = partial(st.metric, border=True, height="stretch")
