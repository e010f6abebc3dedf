"""The same through a real server: an upload by HTTP, its job to the end, and the server's health afterwards."""

import time
from typing import Any

import httpx

from benchmarks.mutations.bait import Bait
from benchmarks.mutations.specimens import Specimen
from benchmarks.mutations.trial import READING_SECONDS, Trial, wording
from core.domain.errors import FAULT, Trouble, from_trouble
from tests.serving import Server

STATES = {"queued", "running"}


class Visit:
    """Somebody with a browser's cookie who uploads to a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._client = httpx.Client(base_url=server.url, timeout=60, headers={"X-Requested-With": "mutations"})
        self._client.get("/")

    def close(self) -> None:
        """Leave, and end the server."""
        self._client.close()
        self.server.kill()

    def tried(self, specimen: Specimen, what: str, number: int, bait: Bait) -> Trial:
        """Upload a changed file, follow its inspection, and ask how the server is."""
        began, faults, heard = time.monotonic(), [], ""
        end, words = "accepted", ""
        if specimen.format == "data" or not specimen.data:
            answer = self._client.put("/api/data", params={"name": specimen.name}, content=specimen.data)
            end = "accepted" if answer.status_code == 201 else "refused"
        else:
            answer = self._client.put("/api/models", params={"name": specimen.name}, content=specimen.data)
            shown = self._ended(str(answer.raise_for_status().json()["job"]))
            heard = str(shown)
            if shown["state"] in STATES:
                faults.append("the job does not end")
            elif shown["error"]:
                error = from_trouble(Trouble(**shown["error"]))
                end, words = (
                    error.kind if FAULT not in error.message else "accident",
                    f"{error.message} {error.next_step}",
                )
                faults += wording(error, bait)
                end = "killed the child" if end == "crashed" else end
        took = time.monotonic() - began
        if took > READING_SECONDS:
            faults.append(f"answered in {took:.0f} s")
        if self._client.get("/healthz").status_code != 200 or self.server.process.poll() is not None:
            faults.append("the server is dead")
        faults += [f"ESCAPE: {one}" for one in bait.touched(heard)]
        return Trial(
            number, specimen.name, specimen.format, what, "server", end, words[:600], round(took, 2), tuple(faults)
        )

    def _ended(self, job: str) -> dict[str, Any]:
        """Return a job at its end, or as it stands after a minute."""
        until = time.monotonic() + 60
        while (shown := self._client.get(f"/api/jobs/{job}").json())["state"] in STATES and time.monotonic() < until:
            time.sleep(0.02)
        return dict(shown)
