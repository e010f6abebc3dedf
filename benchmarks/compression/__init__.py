"""What compression reaches here beside published figures and beside its peers: k of n on test data, bytes, paired times.

``python -m benchmarks.compression WORK`` measures what is named in ``works`` in the folder WORK, which it fills with data,
trained models and an environment of the peers, and writes ``docs/compression.json`` after each result and
``docs/compression.md`` from it. Techniques learn from training data alone; a recipe is chosen on training data that was
kept apart; each file is asked the test data once, and every recipe that was tried stands in the table.
"""
