"""Facts as JSON on stdin, the page on stdout."""

import json
import sys

from core.answers.report import Facts
from core.answers.report.page import page
from core.domain.codec import decode

facts = decode(Facts, json.load(sys.stdin.buffer))
sys.stdout.buffer.write(page(facts.name, facts.results, facts.chosen).encode())
