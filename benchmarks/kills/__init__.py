"""A real server with uploads, jobs and backups, killed at random moments on a disk that runs full.

``disk`` is the small disk, ``ledger`` what was acknowledged, ``traffic`` the visitor, ``machine`` the processes to be killed.
"""
