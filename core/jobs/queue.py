"""When a verb runs: the queue, its states, progress, cancel and retry; the truth is in the store, so a reload loses nothing."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from core.domain.bounds import bounds
from core.domain.codec import decode, encode
from core.domain.errors import Cancelled, Crashed, PortolanError, TooMany, Trouble, Unavailable, our_fault
from core.domain.job import Event, Job, Place, State
from core.domain.recipe import fingerprint
from core.domain.references import references
from core.domain.tracing import JOB, during
from core.jobs.budget import Budget
from core.jobs.engines import Engine
from core.jobs.rows import EVENTS, INTERRUPTED, JobRows
from core.jobs.turns import Turns
from core.jobs.verb import Verb, Verbs
from core.memory.job_blobs import JobBlobs
from core.memory.store import Store
from core.sandbox import Sandbox
from core.sandbox.child import HOSTILE
from core.sandbox.tools import Memory, Tools

R = TypeVar("R")
log = logging.getLogger(__name__)

UNWRITABLE = Trouble(
    Crashed.kind, "How this job ended could not be written down.", "Run it again; the server's log has the details."
)
FIRST_WAIT, LAST_WAIT = 0.1, 5.0
"""Seconds between two tries to write down the end of a job while the database takes nothing, as on a full disk."""

CANCELLED = Trouble(Cancelled.kind, "This job was cancelled.", "Run it again when you need it.")


class Queue:
    """Jobs of all visitors; opening it marks what a dead server left running, and carries on with what waits.

    Equal work (same visitor, verb, arguments, and ``version`` of the program) that waits, runs or is done is answered
    with the job that there is; it stops being an answer when an artifact that it used or made is removed.
    """

    def __init__(self, store: Store, sandbox: Sandbox, engine: Engine, verbs: Verbs, version: str = "") -> None:
        self._store, self._sandbox, self._engine, self._verbs = store, sandbox, engine, verbs
        self._version = version
        self._rows = JobRows(store, verbs)
        self._cancels: dict[str, threading.Event] = {}
        self._closing = False
        self._changed = threading.Condition()
        store.own()
        self._rows.interrupt()
        self._turns, self._admitting = Turns(), threading.Lock()
        for account, id, verb in self._rows.waiting():
            self._turns.add(account, id, verb in verbs and verbs[verb].brief)
        engine.start(self._turns, self._run)

    def submit(self, visitor: str, verb: str, request: object, starter: str | None = None) -> Job:
        """Queue a verb, or return the job that already stands for equal work; it counts for ``starter``, else for the visitor.

        Raises Unavailable for a verb off the table, Malformed for a request off the declaration, Refused for its options or
        this visitor, TooMany where as many jobs of the visitor wait as may.
        """
        known = self._verb(verb)
        known.permit(visitor)
        asked = known.normal(decode(known.request, encode(request)))
        key = self._key(verb, asked)
        with self._admitting:
            if self._rows.same(visitor, key) is None:
                self.admit(visitor, starter)
            return self._carry(self._rows.add(visitor, verb, known.title(asked), asked, key, starter))

    def admit(self, visitor: str, starter: str | None = None) -> None:
        """Raise TooMany where a visitor can have no more jobs now, because of those that wait or of what was used."""
        account = starter or visitor
        Budget(self._store, account, visitor).admit()
        most = bounds().waiting
        if most is not None and self._turns.waiting(account) >= most:
            raise TooMany(
                f"{most:,} of your jobs are waiting, as many as one visitor may have in the queue.",
                "Wait until some of them have begun, or cancel those that you no longer need.",
            )

    def retry(self, visitor: str, id: str, starter: str | None = None) -> Job:
        """Run a job again that failed, was cancelled or interrupted; any other is returned as it is."""
        job = self._rows.job(visitor, id)
        with self._admitting:
            if job.state.repeatable:
                self._verb(job.verb).permit(visitor)
                self.admit(visitor, starter)
            return self._carry(self._rows.requeue(visitor, id, self._key(job.verb, job.request), starter))

    def cancel(self, visitor: str, id: str) -> Job:
        """Cancel a job: at once when it waits; when it runs, its child is killed and the state follows."""
        job = self._rows.cancel_waiting(visitor, id)
        self._turns.drop(job.account, id)
        if job.state is State.RUNNING:
            if running := self._cancels.get(id):
                running.set()
            else:
                self._rows.settle(id, State.CANCELLED, trouble=CANCELLED)
        self._notify()
        return self._rows.job(visitor, id)

    def job(self, visitor: str, id: str) -> Job:
        """Return one job. Raises NotFound."""
        return self._rows.job(visitor, id)

    def jobs(self, visitor: str, limit: int = 100) -> list[Job]:
        """Return the visitor's jobs, newest first."""
        return self._rows.jobs(visitor, limit)

    def events(self, visitor: str, id: str) -> list[Event]:
        """Return the lines of a job's log, oldest first."""
        return self._rows.events(visitor, id)

    def place(self, job: Job) -> Place | None:
        """Return where a job stands in the line, and about when it begins; None for one that does not wait.

        A job that runs is taken to need what jobs usually need, and one that has run for longer, as long again.
        """
        position = self._turns.position(job.account, job.id)
        if position is None:
            return None
        usual = self._rows.usual_seconds()
        if usual is None:
            return Place(position, None)
        first = min((usual - ran if ran < usual else ran for ran in self._turns.running()), default=0.0)
        return Place(position, first + (position - 1) * usual / max(1, self._engine.places().open))

    def wait(self, visitor: str, id: str, seconds: float) -> Job:
        """Return the job when it has ended, or as it stands after ``seconds``."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while (job := self.job(visitor, id)).state.active and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.5))
        return job

    def close(self) -> None:
        """Stop what runs, which becomes interrupted; what waits goes on when the queue is opened again."""
        self._closing = True
        self._turns.close()
        for cancel in list(self._cancels.values()):
            cancel.set()
        self._engine.close()

    def _verb(self, name: str) -> Verb[Any, Any]:
        if name not in self._verbs:
            raise Unavailable(f"This server does not know the verb {name!r}.", f"It knows {', '.join(self._verbs)}.")
        return self._verbs[name]

    def _key(self, verb: str, request: object) -> str:
        return fingerprint({"verb": verb, "args": encode(request), "version": self._version})

    def _carry(self, job: Job) -> Job:
        if job.state is State.QUEUED:
            self._turns.add(job.account, job.id, self._verb(job.verb).brief)
        return job

    def _run(self, id: str) -> None:
        """Drive one job from claim to end; a second call for a job that runs does nothing."""
        cancel = threading.Event()
        if self._cancels.setdefault(id, cancel) is not cancel:
            return
        try:
            with during(JOB, id):
                if not self._closing and (job := self._rows.claim(id)):
                    log.info("job %s (%s) began", id, job.verb)
                    self._drive(job, cancel)
        except Exception:
            log.exception("the end of job %s could not be written down", id)
        finally:
            del self._cancels[id]
            self._notify()

    def _drive(self, job: Job, cancel: threading.Event) -> None:
        journal = Journal(self._rows, job.id)
        blobs = JobBlobs(self._store.blobs, references(job.request))
        memory = JobMemory(self._rows, self._verbs, job, self._key, blobs)
        tools = Tools(blobs, self._sandbox, journal, cancel, memory, Budget(self._store, job.account, job.visitor))
        try:
            verb = self._verb(job.verb)
            result = decode(verb.result, self._engine.perform(job.spec, tools, verb.work))
            journal.close()
            if cancel.is_set():
                raise Cancelled(CANCELLED.message, CANCELLED.next_step)
            self._finish(job, verb, result, blobs)
        except Exception as error:
            journal.close()
            self._settle(job, *self._end(job, error, cancel))

    def _settle(self, job: Job, state: State, trouble: Trouble) -> None:
        """Write down the end of a job without a result; in plainer words where these cannot be written, and as soon as anything can."""
        if self._settled(job, state, trouble):
            return
        wait = FIRST_WAIT
        while not self._settled(job, State.FAILED, UNWRITABLE) and not self._closing:
            time.sleep(wait)
            wait = min(2 * wait, LAST_WAIT)

    def _settled(self, job: Job, state: State, trouble: Trouble) -> bool:
        try:
            self._rows.settle(job.id, state, trouble=trouble)
        except Exception:
            log.exception("the end of job %s could not be written down", job.id)
            return False
        log.info("job %s (%s) is %s: %s", job.id, job.verb, state, trouble.message)
        return True

    def _finish(self, job: Job, verb: Verb[Any, Any], result: object, blobs: JobBlobs) -> None:
        """Write the rows of the result and the end of the job together, or neither. Raises Crashed for a blob of others."""
        check_own(self._store, job.visitor, blobs, result)
        with self._store.transaction():
            made = verb.record(self._store, job.visitor, job.request, result, job.id)
            self._rows.settle(job.id, State.DONE, result=result, made=made)
        log.info("job %s (%s) is done", job.id, job.verb)

    def _end(self, job: Job, error: Exception, cancel: threading.Event) -> tuple[State, Trouble]:
        """Say how a job ended that has no result: by our closing, by its owner, by a known trouble, or by accident."""
        if cancel.is_set():
            return (State.INTERRUPTED, INTERRUPTED) if self._closing else (State.CANCELLED, CANCELLED)
        if isinstance(error, PortolanError):
            return State.FAILED, error.trouble
        log.error("job %s (%s) failed", job.id, job.verb, exc_info=error)
        return State.FAILED, our_fault(error).trouble

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()


def check_own(store: Store, visitor: str, blobs: JobBlobs, value: object) -> None:
    """Raise Crashed where a value names a stored blob that neither the job wrote or was given nor the visitor holds.

    A worker of a cluster says what a result is, so its word for whose a blob is counts for nothing.
    """
    named = (one for one in references(value) if one not in blobs.own and store.blobs.has(one))
    if any(not store.holds(visitor, sha256) for sha256 in named):
        raise Crashed("The result names a file that this job did not make.", HOSTILE)


class JobMemory(Memory):
    """What one job asks of the store and writes there before its end; all of it is read by the verbs' declarations, wherever it comes from."""

    def __init__(
        self, rows: JobRows, verbs: Verbs, job: Job, key: Callable[[str, object], str], blobs: JobBlobs
    ) -> None:
        self._rows, self._verbs, self._job, self._key, self._blobs = rows, verbs, job, key, blobs

    def known(self, verb: str, request: object, kind: type[R]) -> R | None:
        """Return the result of the same visitor's equal work; of this job itself, what an attempt before this one kept."""
        asked = decode(self._verbs[verb].request, encode(request))
        found = self._rows.known(self._job.visitor, self._key(verb, asked))
        if (verb, asked) == (self._job.verb, self._job.request):
            found = self._job
        if found is not None:
            self._blobs.own.update(references(found.result))
        return None if found is None or found.result is None else decode(kind, encode(found.result))

    def answer(self, verb: str, request: object, result: object) -> None:
        """Write the rows of the result and a finished job together, or neither."""
        store, visitor, done = self._rows.store, self._job.visitor, self._verbs[verb]
        asked, found = decode(done.request, encode(request)), decode(done.result, encode(result))
        check_own(store, visitor, self._blobs, (asked, found))
        with store.transaction():
            made = done.record(store, visitor, asked, found, self._job.id)
            self._rows.answered(visitor, verb, done.title(asked), asked, self._key(verb, asked), found, made)

    def keep(self, result: object) -> None:
        """Write the result so far beside the job."""
        found = decode(self._verbs[self._job.verb].result, encode(result))
        check_own(self._rows.store, self._job.visitor, self._blobs, found)
        self._rows.keep(self._job.id, found)


class Journal:
    """The progress of one run: at most ten writes a second; what comes in between waits for the next, and is not lost."""

    PAUSE = 0.1
    LINE = 500

    def __init__(self, ledger: JobRows, id: str) -> None:
        self._rows, self._id = ledger, id
        self._lock = threading.Lock()
        self._lines: deque[Event] = deque(maxlen=EVENTS)
        self._fraction: float | None = None
        self._text = ""
        self._timer: threading.Timer | None = None
        self._written = -self.PAUSE
        self._closed = False

    def __call__(self, fraction: float | None, text: str) -> None:
        """Note a fraction from 0 to 1 (or None) and a sentence; a sentence that differs from the last is a line of the log."""
        with self._lock:
            self._fraction = None if fraction is None else min(1.0, max(0.0, fraction))
            if text and text[: self.LINE] != self._text:
                self._text = text[: self.LINE]
                self._lines.append(Event(time.time(), self._text))
            if self._timer is None and not self._closed:
                wait = max(0.0, self._written + self.PAUSE - time.monotonic())
                self._timer = threading.Timer(wait, self._write)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Write what is left; nothing is written later."""
        with self._lock:
            self._closed, timer = True, self._timer
        if timer is not None:
            timer.cancel()
            self._write()

    def _write(self) -> None:
        with self._lock:
            lines, fraction, text = list(self._lines), self._fraction, self._text
            self._lines.clear()
            self._timer = None
            self._written = time.monotonic()
            try:
                self._rows.note(self._id, fraction, text, lines)
            except Exception as error:
                log.warning("the progress of job %s could not be written down: %s", self._id, error)
