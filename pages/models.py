"""Models: bring one, see what is in it, and find everything that was made from it."""

import streamlit as st

from core.domain.errors import NotFound
from core.domain.job import State
from core.domain.person import Role
from core.doors.samples import Sample, samples
from core.doors.workspace import current
from core.verbs.compress import FORMAT
from pages.visitor import place, visitor
from pages.widgets import hold, listing, progress, projects, sample, summary, task, upload
from pages.widgets.chrome import ink
from pages.widgets.text import plain

ICONS = {"image": "image", "tabular": "table_chart", "text": "notes"}


def home() -> None:
    """Show the way in: drop a file, or press a sample; below, what the visitor already has."""
    with st.container(horizontal_alignment="center"):
        st.title("Add a model", text_alignment="center")
        st.caption(
            "See what is in it, convert it, and download it with proof that it still gives the same answers.",
            text_alignment="center",
        )
    answer = upload.drop_zone(
        "Drop a model here",
        "ONNX, PyTorch, Keras, TensorFlow, LiteRT, OpenVINO, scikit-learn, XGBoost, LightGBM, CatBoost, PMML · up to 2 GB",
        "/api/models",
        key="model-upload",
    )
    if answer:
        st.query_params["job"] = answer["job"]
        st.rerun()
    progress.refusal()
    follow()
    progress.unfinished()
    st.subheader("Or try a sample")
    with st.grid(4, min_column_width=220):
        for one in samples():
            card(one)
    library()


def follow() -> None:
    """Follow the job in the address, so that a reload loses nothing; a finished one leads to its model."""
    job_id = st.query_params.get("job")
    if not job_id:
        return
    try:
        job = current().queue.job(visitor(), job_id)
    except NotFound:
        del st.query_params["job"]
        return
    if job.state.active:
        progress.watch(job.id)
    elif job.state is State.DONE and job.result:
        del st.query_params["job"]
        st.query_params["model"] = str(job.made)
        st.rerun()
    else:
        progress.ended_badly(job)


def card(sample: Sample) -> None:
    """Show one sample with its measured accuracy and the button that opens it."""
    accuracy = sample.card["accuracy"]
    with st.container(border=True, height="stretch"):
        st.markdown(
            f"**:material/{ICONS.get(sample.card['task'].split()[0], 'deployed_code')}: {sample.card['title']}**"
        )
        st.markdown(sample.card["sentence"])
        st.caption(
            f"{accuracy['value']:.1%} right ({accuracy['k']:,} of {accuracy['n']:,})",
            help=f"Measured on {accuracy['on']}",
        )
        st.button(
            "Try this sample",
            key=f"sample-{sample.id}",
            icon=":material/science:",
            width="stretch",
            on_click=progress.begin,
            args=(lambda: place().bring(sample),),
        )


def library() -> None:
    """List the visitor's models, newest first, each result under what it was made from."""
    st.subheader(f"Models of {plain(place().name, 60)}" if place().shared else "Your models")
    hold.notice()
    found = current().store.artifacts(visitor())
    if not found:
        with st.container(border=True, horizontal_alignment="center"):
            st.markdown("**:material/inbox: No models yet**", text_alignment="center")
            seen = "its members alone see them" if place().shared else "other visitors cannot see them"
            st.caption(f"Files stay on this server, and {seen}.", text_alignment="center")
        return
    listing.show(found)
    emptying()


def emptying() -> None:
    """Offer to delete everything in this library, to whoever may."""
    here = place()
    if not here.role.allows(Role.ADMINISTRATOR if here.shared else Role.MEMBER):
        return
    what = "this project" if here.shared else "all of mine"
    with st.popover(f"Delete {what}", icon=":material/delete_forever:", type="tertiary"):
        st.markdown("All models, data sets, jobs, reports and links here are deleted permanently, from the disk too.")
        if here.shared:
            st.caption("The project goes for all of its members.")
        elif here.person is not None:
            st.caption("You leave your projects, and you are signed out; projects that only you are in go too.")
        sure = st.checkbox("I understand that this cannot be undone.", key="sure")
        st.button("Delete everything", key="forget", disabled=not sure, on_click=progress.attempt, args=(everything,))


def everything() -> None:
    """Delete all of the chosen library."""
    place().forget()
    st.query_params.clear()


def detail(artifact_id: str) -> None:
    """Show what is in one model, its graph, and its lineage."""
    try:
        artifact = current().store.artifact(visitor(), artifact_id)
    except NotFound:
        st.warning(
            "There is no such model in your library. It may have been removed, or it belongs to another visitor."
        )
        st.page_link("models.py", label="Back to your models", icon=":material/arrow_back:")
        return
    st.page_link("models.py", label="All models", icon=":material/arrow_back:")
    progress.refusal()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(width="content", gap="xsmall"):
            st.title(plain(artifact.name))
            st.badge(summary.format_title(artifact.format), color="gray")
        with st.container(width="content", horizontal=True):
            if artifact.format == FORMAT and st.button("Compress this model", icon=":material/compress:"):
                st.switch_page("compress.py", query_params={"model": artifact.id})
            if st.button("Migrate this model", icon=":material/rocket_launch:"):
                st.switch_page("migrate.py", query_params={"model": artifact.id})
            if st.button("Profile this model", icon=":material/speed:"):
                st.switch_page("profile.py", query_params={"model": artifact.id})
            if st.button("Convert this model", type="primary", icon=":material/swap_horiz:"):
                st.switch_page("convert.py", query_params={"model": artifact.id})
    hold.notice(artifact.id)
    sample.show(artifact)
    summary.show(artifact, ink())
    task.show(artifact)
    projects.copying(artifact)
    if not place().role.allows(Role.MEMBER):
        return
    with st.container(horizontal=True):
        with st.popover("Rename", icon=":material/edit:", type="tertiary"):
            name = st.text_input("Name", artifact.name, max_chars=200, key=f"name-{artifact.id}")
            st.button("Save the name", key="rename", disabled=not name.strip(), on_click=rename, args=(artifact.id,))
        with st.popover("Remove from library", icon=":material/delete:", type="tertiary"):
            st.markdown("The file and its reports are deleted permanently.")
            st.button("Remove", key="remove", on_click=remove, args=(artifact.id,))


def rename(artifact_id: str) -> None:
    """Give a model the name that was typed."""
    progress.attempt(lambda: place().rename(artifact_id, str(st.session_state[f"name-{artifact_id}"])))


def remove(artifact_id: str) -> None:
    """Forget a model and go back to the library; say it when others still stand on it."""
    progress.attempt(lambda: forget(artifact_id))


def forget(artifact_id: str) -> None:
    """Forget a model, and what the address says of it."""
    place().remove(artifact_id)
    st.query_params.clear()


if "model" in st.query_params:
    detail(st.query_params["model"])
else:
    home()
