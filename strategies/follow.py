"""Where another controller moves the traffic there is one plan: follow it, and ask people where it pauses."""

from strategies.plan import Plan
from strategies.request import Request

_ITS_OWN_PLAN = "The controller's own plan says how fast: its steps and pauses are followed."
_ALL_AT_ONCE = "All traffic moves at once, without the controller's own steps: a bad version reaches everybody."


def compile_led(request: Request) -> Plan:
    """Return `[Approve] Follow`; direct asks once before it, then lets the controller go to the end at once."""
    if request.strategy == "direct":
        full = [request.follow(full=True)]
        return request.plan(request.gate(), full, warnings=(_ALL_AT_ONCE,))
    return request.plan(request.opening(), [request.follow()], warnings=(_ITS_OWN_PLAN,))
