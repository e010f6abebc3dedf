"""Random small models through the real verbs, and their own libraries' answers on fresh draws: a PASS that these refute is a finding.

``specimen`` says what a model under study is; ``graphs`` (of ``operators``), ``pipelines``, ``forests``, ``networks`` and ``stacks`` make
one from a seed; ``draws`` makes hard inputs; ``verdicts`` holds a result against its source; ``study`` is the child that does
all of it for a batch of seeds, with the verbs on ``local``'s bench; ``python -m benchmarks.fuzz`` is the parent.
"""
