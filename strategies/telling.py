"""A plan in words: one sentence for every step, the same in chat, on cards and in a terminal.

Pure. Every step has its sentence: a new one does not pass the type check until it says what it does.
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

from strategies.cookies import Cookie, cookie_in
from strategies.plan import (
    Approve,
    Batch,
    Compare,
    Follow,
    Match,
    Plan,
    Prepare,
    Promote,
    Replace,
    Retire,
    Rule,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Step,
    Switch,
)
from strategies.verdict import metric_label

_SHOWN = 5
"""Rules, tests and metrics that a sentence names; the rest is counted."""


def plan_sentences(plan: Plan) -> list[str]:
    """Return what each step does, in order."""
    repeats = plan.repeated is not None
    return [step_sentence(step, repeats=repeats) for step in plan.steps]


def step_sentence(step: Step, *, repeats: bool = True) -> str:
    """Return what a step does; `repeats` says whether a batch is the one that its plan repeats."""
    if isinstance(step, Batch):
        return _batch(step, repeats=repeats)
    if isinstance(step, Smoke | Soak | Compare | Follow | Approve):
        return _question(step)
    return _move(step)


def _move(step: Prepare | Replace | Match | SetWeight | Switch | Promote | Retire) -> str:
    match step:
        case Prepare():
            return f"start the new version without traffic, ready within {span(step.timeout)}"
        case Replace():
            return "stop the old version, then start the new one: downtime, nobody is served in between"
        case Match():
            return f"requests with {rules_phrase(step.rules)} go to the new version"
        case SetWeight():
            return f"{step.percent:g} % of the traffic{_within(step.timeout)}"
        case Switch():
            return f"100 % of the traffic at once{_within(step.timeout)}"
        case Promote():
            return "make it the stable version"
        case Retire():
            return f"keep the old version ready for instant rollback for {span(step.after)}"
        case _ as unknown:
            assert_never(unknown)


def _within(timeout: int | None) -> str:
    return f", read back within {span(timeout)}" if timeout else ""


def _question(step: Smoke | Soak | Compare | Follow | Approve) -> str:
    match step:
        case Smoke():
            return _smoke(step)
        case Soak():
            return f"watch for {span(step.duration)}, at least {step.min_requests:,} requests"
        case Compare():
            return _compare(step)
        case Follow():
            return _follow(step)
        case Approve():
            return _approve(step)
        case _ as unknown:
            assert_never(unknown)


def _batch(step: Batch, *, repeats: bool) -> str:
    share = _share(step.instances)
    limits = f"at most {step.max_concurrent} at once, each healthy within {span(step.timeout)}"
    if not repeats:
        return f"{share} more get the new version, {limits}{_undoes(step)}"
    if step.rounds == 1:
        return f"{share} get the new version, {limits}{_undoes(step)}"
    rounds = f" ({step.rounds} batches)" if step.rounds else ""
    return f"{share} at a time until none is old{rounds}, {limits}{_undoes(step)}"


def _share(instances: int | str) -> str:
    if isinstance(instances, int):
        return counted(instances, "instance")
    percent = float(instances.rstrip("%"))
    return "all instances" if percent == 100 else f"{percent:g} % of the instances"


def _undoes(step: Batch) -> str:
    match step.rollback:
        case "all":
            return ""
        case "failed-batch":
            return "; a failure undoes only its own batch and holds"
        case "none":
            return "; a failure undoes nothing and holds"


def _smoke(step: Smoke) -> str:
    parts = [f"test it without traffic: {some(_test(t) for t in step.tests)}"] if step.tests else []
    if step.duration:
        parts.append(f"it stays ready for {span(step.duration)}")
    return "; ".join(parts) or "it is ready without traffic"


def _test(test: SmokeTest) -> str:
    often = f"{test.requests:,} × " if test.requests > 1 else ""
    errors = f", at most {test.max_errors:g} % errors" if test.max_errors else ""
    schema = ", by its schema" if test.schema is not None else ""
    return f"{often}{test.method} {test.url} → {test.expect}{errors}{schema}"


def _compare(step: Compare) -> str:
    weighted = step.score != "wins"
    metrics = some(
        f"{metric_label(m.metric)} {m.weight:g} %" if weighted else metric_label(m.metric)
        for m in step.metrics
    )
    ends = {"auto": _stays(step), "manual": "then a person says which one stays"}
    return f"compare A (live) and B (new) for {span(step.duration)}: {metrics}; {ends[step.winner]}"


def _stays(step: Compare) -> str:
    match step.score:
        case "sequential":
            return (
                "whoever is better for certain stays, as soon as that is so, and A where nobody is"
            )
        case "weighted":
            return "the better score stays by itself"
        case "wins":
            return "the better metrics won stays by itself"


def _follow(step: Follow) -> str:
    if step.full:
        return "the controller moves all traffic at once, without its own steps and pauses"
    people = "person" if step.quorum == 1 else "people"
    return (
        "the controller moves the traffic by its own plan; at each of its pauses ask "
        f"{step.quorum} {people} of {', '.join(step.groups) or 'anybody'}, "
        f"within {span(step.expires)}, then {step.on_expiry}"
    )


def _approve(step: Approve) -> str:
    people = "person" if step.quorum == 1 else "people"
    weakened = f"; weakened: {', '.join(step.weakened)}" if step.weakened else ""
    return (
        f"ask {step.quorum} {people} of {', '.join(step.groups) or 'nobody'}, "
        f"within {span(step.expires)}, then {step.on_expiry}{weakened}"
    )


def rules_phrase(rules: Sequence[Rule]) -> str:
    """Return the audience of a rollout: any of these."""
    return some((_rule(rule) for rule in rules), " or ")


def _rule(rule: Rule) -> str:
    cookie = cookie_in(rule)
    if cookie is not None:
        return _cookie(cookie)
    if rule.equals is not None:
        return f"{rule.header}: {rule.equals}"
    if rule.regex is not None:
        return f"{rule.header} like /{rule.regex}/"
    return f"any {rule.header}" if rule.present else f"no {rule.header}"


def _cookie(cookie: Cookie) -> str:
    if cookie.equals is not None:
        return f"cookie {cookie.name} = {cookie.equals}"
    if cookie.regex is not None:
        return f"cookie {cookie.name} like /{cookie.regex}/"
    return f"any cookie {cookie.name}"


def some(items: Iterable[str], between: str = ", ") -> str:
    """Return the first few of many, and how many more there are."""
    every = list(items)
    more = [f"{len(every) - _SHOWN} more"] if len(every) > _SHOWN else []
    return between.join([*every[:_SHOWN], *more])


def counted(number: int, noun: str) -> str:
    """Return `1 instance`, `2 instances`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def span(seconds: int) -> str:
    """Return a duration as people say it."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def estimate_phrase(plan: Plan) -> str:
    """Return how long the plan takes the machine."""
    match plan.estimate_s:
        case None:
            return "the time depends on the number of instances"
        case 0:
            return "as fast as it starts"
        case seconds:
            return f"about {span(seconds)} without human waits"
