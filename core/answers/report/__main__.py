"""Facts as JSON on stdin, the page on stdout."""

import json
import sys

from core.answers.report.page import page

sys.stdout.buffer.write(page(**json.load(sys.stdin.buffer)).encode())
