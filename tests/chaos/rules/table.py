"""All rules, in DESIGN's order, and where each is held."""

from tests.chaos.rules import jobs, serving

RULES = (*jobs.RULES, *serving.RULES)
