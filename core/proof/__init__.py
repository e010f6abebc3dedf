"""Whether two files give the same answers, and how good those are; everything here runs in the sandboxed worker.

``probes`` records what the source answers, ``parity`` replays that on the target and judges, ``divergence`` names the
operator where two graphs part, ``quality`` measures on labels, and ``datasets`` reads what the user brought: ``tables``
and ``dialect`` the file as it was written, ``columns`` and ``labels`` in the words of the model, and ``meeting`` says
whether the labels can be what the model answers.
"""
