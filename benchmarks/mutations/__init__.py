"""Honest files of every format, changed at random in bytes and in structure, through the real ingestion.

``raw`` and the files named after containers make the changes, ``change`` chooses among them by what the bytes are,
``bait`` is what no hostile file may reach, ``trial`` gives one changed file to the border and says how that ended.
"""
