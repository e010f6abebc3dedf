"""Verbs asked in plain values, as a script or a database does: requests come in as JSON, results go out as JSON."""

from typing import Any

from core.calls.bench import Bench
from core.domain.codec import decode, encode
from core.jobs.verb import Verb
from core.sandbox.tools import Tools


def ask(verb: Any, tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Run a verb's module on JSON, options parsed as at the queue's door, and return its result as JSON."""
    found: Verb[Any, Any] = verb.VERB
    result: dict[str, Any] = encode(found.run(tools, found.normal(decode(found.request, args))))
    return result


def ask_on(verb: Any, bench: Bench, args: dict[str, Any]) -> dict[str, Any]:
    """Run a verb's module on a given bench."""
    result: dict[str, Any] = encode(verb.on(bench, decode(verb.VERB.request, args)))
    return result
