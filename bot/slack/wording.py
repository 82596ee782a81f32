"""How the field's words look in Slack: phases, bars, stages, sentences with people in them. Pure.

Every sign stands beside its word: nothing is said by colour or emoji alone.
"""

from collections.abc import Sequence

from bot.rollout.values import Entry, Phase, Rollout
from bot.slack.blocks import escape, mention
from strategies.plan import Approve, Plan, Prepare, Promote, Retire, SetWeight, Soak, Switch
from strategies.verdict import Look, Result, Verdict, limit_words, number

_SIGNS = {
    Phase.SCHEDULED: ("⚪", "queued"),
    Phase.RUNNING: ("🔵", "in progress"),
    Phase.WAITING: ("🟡", "waiting for a decision"),
    Phase.PAUSED: ("⏸", "paused"),
    Phase.ROLLING_BACK: ("🔴", "rolling back"),
    Phase.NEEDS_ATTENTION: ("🔥", "needs attention"),
    Phase.SUCCEEDED: ("🟢", "live"),
    Phase.ROLLED_BACK: ("🔴", "rolled back"),
    Phase.CANCELLED: ("⚪", "not started"),
}


def sign(r: Rollout) -> str:
    """Return the emoji and the word of a phase; the word comes with every emoji."""
    if r.phase is Phase.CANCELLED and r.armed is not None:
        return "⚪ ended by hand"
    emoji, word = _SIGNS[r.phase]
    return f"{emoji} {word}"


def headline(r: Rollout) -> str:
    """Return which version goes where, as plain text."""
    verb = "back to " if r.rollback_of else ""
    return f"{r.service} {verb}{r.version} → {r.environment}"


def percent(value: float) -> str:
    """Return a weight as people read it."""
    return f"{value:g} %"


def bar(weight: float) -> str:
    """Return a progress bar; the number beside it is the information."""
    full = max(1, round(weight / 10)) if weight > 0 else 0
    return f"`{'▓' * full}{'░' * (10 - full)}` {percent(weight)}"


def stages(r: Rollout) -> str:
    """Return the stages of the plan: done, current, to come."""
    parts = []
    for index, weight in enumerate(r.plan.weights):
        done = _reached(r, index)
        mark = "✓" if done and weight != r.weight else ("●" if done else "○")
        parts.append(f"{mark} {percent(weight)}")
    return "   ".join(parts)


def _reached(r: Rollout, index: int) -> bool:
    seen = -1
    for step in r.plan.steps[: r.cursor]:
        if isinstance(step, SetWeight | Switch):
            seen += 1
    return index <= seen


def stage_number(r: Rollout) -> tuple[int, int]:
    """Return which stage the rollout is in, and how many there are."""
    done = sum(isinstance(s, SetWeight | Switch) for s in r.plan.steps[: r.cursor])
    return max(1, done), len(r.plan.weights)


def told(entry: Entry) -> str:
    """Return a journal line as mrkdwn: foreign text shown, never obeyed; the person who acted is named."""
    return with_people(entry.text, entry.data.get("people") or [entry.actor])


def with_people(sentence: str, people: Sequence[str]) -> str:
    """Return a sentence with these ids, and no others, as mentions."""
    text = escape(sentence)
    for person in people:
        named = mention(person)
        if named.startswith("<"):
            text = text.replace(person, named, 1)
    return text


def names(ids: Sequence[str]) -> str:
    """Return people and groups as mentions."""
    return ", ".join(mention(one) for one in ids) or "nobody"


_METRICS = (
    ("error_rate", "Error rate"),
    ("success_rate", "Success rate"),
    ("latency_p50", "p50"),
    ("latency_p95", "p95"),
    ("latency_p99", "p99"),
    ("rps", "Requests/s"),
    ("cpu", "CPU"),
    ("memory", "Memory"),
)

_VERDICTS = {Verdict.PASS: "ok", Verdict.FAIL: "FAILED", Verdict.INCONCLUSIVE: "unclear"}


def snapshot_rows(r: Rollout, look: Look) -> list[list[str]]:
    """Return the metric snapshot: stable beside canary, with the limit and the verdict of each check."""
    rows = [["Metric", "stable", "canary", "limit", "verdict"]]
    results: dict[str, list[Result]] = {}
    for result in r.judgement.results if r.judgement else ():
        results.setdefault(result.metric, []).append(result)
    custom = [(s.metric, s.metric) for s in look.samples if s.metric not in _BUILT_IN]
    for metric, label in (*_METRICS, *custom):
        sample = look.get(metric)
        stable = _value(sample.stable, sample.why_stable, metric)
        canary = _value(sample.canary, sample.why_canary, metric)
        found = results.get(metric, [])
        first = found[0] if found else None
        rows.append([label, stable, canary, *_held(first)])
        rows += [["", "", "", *_held(result)] for result in found[1:]]
    return rows


_BUILT_IN = {name for name, _ in _METRICS} | {"requests"}


def _held(result: Result | None) -> list[str]:
    if result is None:
        return ["–", "–"]
    return [result.limit, _VERDICTS[result.verdict] if result.counts else "no baseline"]


def _value(value: float | None, why: str, metric: str) -> str:
    return number(value, metric) if value is not None else (why or "no data")


def window_words(look: Look) -> str:
    """Return the window and the sample count of a look."""
    minutes, seconds = divmod(look.window, 60)
    span = f"{minutes} min" if minutes and not seconds else f"{look.window} s"
    samples = look.get("requests")
    stable = "no" if samples.stable is None else f"{samples.stable:,.0f}"
    canary = "no" if samples.canary is None else f"{samples.canary:,.0f}"
    return f"{span} window, n = {canary} canary and {stable} stable requests"


def step_words(step: object) -> str:
    """Return one step of a plan as a sentence."""
    match step:
        case Prepare(timeout=timeout):
            return f"start the new version without traffic (ready within {timeout // 60} min)"
        case SetWeight(percent=weight):
            return f"{percent(weight)} of the traffic"
        case Switch():
            return "all traffic at once"
        case Soak(duration=duration, min_requests=requests):
            return f"watch for {span_words(duration)}, at least {requests:,} requests"
        case Approve(quorum=quorum, weakened=weakened):
            why = f" (weakened: {'; '.join(weakened)})" if weakened else ""
            return f"ask: {quorum} approval{'s' if quorum > 1 else ''}{why}"
        case Promote():
            return "make it stable, traffic home, canary to 0"
        case Retire(after=after):
            return f"keep the old version ready for {span_words(after)}"
        case _:
            return str(step)


def span_words(seconds: int) -> str:
    """Return a duration as people say it."""
    if seconds % 3600 == 0 and seconds:
        return f"{seconds // 3600} h"
    if seconds % 60 == 0 and seconds:
        return f"{seconds // 60} min"
    return f"{seconds} s"


def checks_words(plan: Plan) -> list[str]:
    """Return the checks of a plan, each with its limit and what follows."""
    soak = next((s for s in plan.steps if isinstance(s, Soak)), None)
    return [f"{c.metric} {limit_words(c)} → {c.then}" for c in (soak.checks if soak else ())]
