"""``python -m core COMMAND``: see ``core.doors.commands``."""

from core.doors.commands import run_and_exit

if __name__ == "__main__":
    run_and_exit()
