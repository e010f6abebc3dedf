"""The search for the best trade-off, from the ladders of recipes up to the verdict on the test half; ``core.verbs.tune`` is its verb.

``ladders`` are recipes from gentle to aggressive, ``layerwise`` those that go by the heat map, ``walks`` the ways up
them, ``neighbours`` recipes around the best; ``trials`` tries one candidate, ``search`` says
which comes next, ``state`` is how far it came, ``finishing`` makes the best something to download, ``account`` tells it
all, and ``folder`` keeps it for the command line.
"""
