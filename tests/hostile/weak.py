"""A worker whose walls are those of a kernel with version 2 of Landlock, which does not watch the truncation of files."""

from core.border import jail
from core.doors.worker import main

jail.NEWEST_ABI = 2

if __name__ == "__main__":
    main()
