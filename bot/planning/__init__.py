"""From a request and the configuration to a plan. Pure: the same words and the same file give the same plan.

Every default is filled in here, once, and everything that the request weakens is put into words for the approver.
"""

from bot.planning.advising import advice_for
from bot.planning.judging import counts_decide, judged_by
from bot.planning.people import rules_for
from bot.planning.plans import lanes_for, parts_for, plan_for, request_for, rollback_plan

__all__ = [
    "advice_for",
    "counts_decide",
    "judged_by",
    "lanes_for",
    "parts_for",
    "plan_for",
    "request_for",
    "rollback_plan",
    "rules_for",
]
