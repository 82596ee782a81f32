"""How the field's words look in Slack: phases, bars, numbers, sentences with people in them. Pure.

Every sign stands beside its word: nothing is said by colour or emoji alone.
"""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from bot.rollout.part import Trouble
from bot.rollout.stuck import since_stuck
from bot.rollout.values import Entry, Phase, Rollout
from bot.slack.blocks import clip, date, escape, escape_code, mention, plain
from bot.slack.pasting import pasted
from integrations.metric import Missing
from strategies.limits import limit_words
from strategies.plan import Plan, Watch
from strategies.verdict import Look, Result, Sample, Verdict, metric_label

_LOG, _INDENT = 2500, 12
"""Characters of a log in one message, and of the room before one of its lines."""

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
    if r.phase is Phase.CANCELLED and r.code == "superseded":
        return "⚪ superseded"
    if r.phase is Phase.CANCELLED and r.armed is not None:
        return "⚪ ended by hand"
    if r.phase is Phase.SCHEDULED and r.due is not None:
        return "🟡 waiting for a decision" if r.code else "⚪ scheduled"
    if since_stuck(r) is not None:
        return "🔥 rolling back, does not get on"
    if r.phase is Phase.ROLLED_BACK and r.back is not None and r.back.automatic:
        return "🔴 rolled back automatically"
    if a_stays(r):
        return "🟢 A stays" if r.phase is Phase.SUCCEEDED else "🔵 returning to A"
    emoji, word = _SIGNS[r.phase]
    return f"{emoji} {word}"


def stood(r: Rollout, after: Rollout | None) -> str:
    """Return the sign of a rollout that something else may have taken the place of since."""
    return sign(r) if after is None else "⚪ was live"


def gave_way(after: Rollout, *, named: bool = True) -> str:
    """Return what became of a version that was live: what took its place, and by whom where it was taken back."""
    if after.rollback_of:
        by = f" by {mention(after.requester)}" if named else ""
        return f"taken back to {escape(after.version)}{by}"
    return f"replaced by {escape(after.version)}"


def a_stays(r: Rollout) -> bool:
    """Whether an A/B test ended well without its new version: traffic goes home, and that is no failure."""
    ended = r.phase is Phase.SUCCEEDED and r.winner == "A"
    return ended or (r.phase is Phase.ROLLING_BACK and r.back is not None and r.back.lost)


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


def told(entry: Entry) -> str:
    """Return a journal line as mrkdwn: foreign text shown, never obeyed; the person who acted is named."""
    if entry.verb == "log":
        return logged(entry.text)
    sentence = with_people(entry.text, entry.data.get("people") or [entry.actor])
    return f"{with_dates(pasted(sentence))}{_led(entry.data.get('link', ''))}"


_LINK = re.compile(r"https?://[!-~]{1,2000}", re.ASCII | re.IGNORECASE)


def _led(link: str) -> str:
    """Return where a line leads further, as a link; nothing but a web address becomes one."""
    if not _LINK.fullmatch(link) or set(link) & set("<>|"):
        return ""
    return f" <{link.replace('&', '&amp;')}|Where it comes from>"


def logged(text: str) -> str:
    """Return what a container wrote as a code block under its title; the last lines where not all of them fit."""
    title, *lines = text.splitlines()
    kept: list[str] = []
    left = _LOG
    for line in reversed(lines):
        bare = line.lstrip()
        # The indentation of a stack trace is kept outside of `escape`, which would fold it.
        shown = " " * min(len(line) - len(bare), _INDENT) + escape_code(plain(bare))
        left -= len(shown) + 1
        if left < 0:
            break
        kept.append(shown)
    return "\n".join([escape(title), "```", *reversed(kept), "```"])


_REASON = 300


def in_short(reason: str) -> str:
    """Return as much of a reason as a card and a record have room for; the details have all of it."""
    return clip(plain(reason), _REASON)


_HELD = {
    "gate_expired": "nobody decided in time",
    "drift": "somebody else changed the traffic",
    "check_failed": "a check failed",
    "superseded": "another version took its place",
    "called_off": "cancelled before it began",
    "schedule_expired": "nobody said go in time",
    "smoke_failed": "a smoke test failed",
}


def held_by(code: str) -> str:
    """Return in words why a rollout holds or ended; a code without words of its own reads as it is spelled."""
    return _HELD.get(code, code.replace("_", " "))


def with_people(sentence: str, people: Sequence[str]) -> str:
    """Return a sentence with these ids, and no others, as mentions. Only a whole word is an id, never a part of one."""
    text = escape(sentence)
    named = {person: mention(person) for person in people}
    ids = sorted((one for one in named if named[one].startswith("<")), key=len, reverse=True)
    if not ids:
        return text
    # One pass: what has become a mention is not looked at again.
    whole = rf"(?<![\w-])(?:{'|'.join(map(re.escape, ids))})(?![\w-])"
    return re.sub(whole, lambda found: named[found[0]], text)


def trouble_words(trouble: Trouble) -> str:
    """Return what is in the way, with whoever it names as mentions and its moments in the reader's zone."""
    return with_dates(with_people(trouble.sentence, trouble.people))


# “at today” is what a reader would see: the date brings its own word.
_MOMENT = re.compile(r"(?:\bat )?\b(\d{4}-\d\d-\d\d \d\d:\d\d) UTC\b", re.ASCII)


def with_dates(mrkdwn: str) -> str:
    """Return a sentence with its moments (as `bot.rollout.times.clock` says them) in the reader's own time zone."""
    return _MOMENT.sub(_in_zone, mrkdwn)


def _in_zone(found: re.Match[str]) -> str:
    try:
        return date(datetime.strptime(found[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return found[0]


def names(ids: Sequence[str]) -> str:
    """Return people and groups as mentions."""
    return ", ".join(mention(one) for one in ids) or "nobody"


_USUAL = (
    "error_rate",
    "success_rate",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "rps",
    "cpu",
    "memory",
)
"""What every snapshot shows, in this order."""
_MORE = {
    "latency_avg",
    "connection_failures",
    "circuit_breaker_trips",
    "cold_start_rate",
    "throttles",
    "conversion_rate",
    "user_engagement",
    "revenue",
}
"""What a snapshot shows where there are numbers, or a check that wants them."""

_VERDICTS = {Verdict.PASS: "ok", Verdict.FAIL: "FAILED", Verdict.INCONCLUSIVE: "unclear"}


def shown_metrics(look: Look, judged: Collection[str]) -> list[str]:
    """Return the metrics of a snapshot: the usual ones, then whatever else has a number or a check.

    What can never have a number there (a flag has no CPU) has no row, unless a check wants it.
    """
    usual = [metric for metric in _USUAL if metric in judged or _may_have(look.get(metric))]
    others = [
        sample.metric
        for sample in look.samples
        if sample.metric not in _USUAL and (sample.metric != "requests" or "requests" in judged)
        if sample.metric not in _MORE or sample.canary is not None or sample.metric in judged
    ]
    return [*usual, *others]


def _may_have(sample: Sample) -> bool:
    return sample.canary is not None or sample.why_canary != Missing.NOT_AVAILABLE


def limits_and_verdict(results: Sequence[Result]) -> tuple[list[str], str]:
    """Return the limits of one metric and the worst verdict of its checks in a word; `""` where nothing is checked."""
    if not results:
        return [], ""
    counted = [result for result in results if result.counts]
    if not counted:
        why = "too few" if any(result.thin for result in results) else "no baseline"
        return [result.limit for result in results], why
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    worst = min((result.verdict for result in counted), key=order.index)
    warns = worst is Verdict.FAIL and all(
        result.then == "warn" for result in counted if result.verdict is Verdict.FAIL
    )
    return [result.limit for result in results], "warning" if warns else _VERDICTS[worst]


def window_words(look: Look) -> str:
    """Return the window and the sample count of a look."""
    minutes, seconds = divmod(look.window, 60)
    span = f"{minutes} min" if minutes and not seconds else f"{look.window} s"
    samples = look.get("requests")
    alone = samples.stable is None and samples.why_stable == Missing.NOT_AVAILABLE
    if alone and samples.canary is not None:
        return f"{span} window, n = {samples.canary:,.0f} requests"
    stable = "no" if samples.stable is None else f"{samples.stable:,.0f}"
    canary = "no" if samples.canary is None else f"{samples.canary:,.0f}"
    return f"{span} window, n = {canary} canary and {stable} stable requests"


def checks_words(plan: Plan) -> list[str]:
    """Return the checks of a plan, each with its limit and what follows."""
    watch = next((s for s in plan.steps if isinstance(s, Watch)), None)
    checks = watch.checks if watch else ()
    return [f"{metric_label(c.metric)} {limit_words(c)} → {c.then}" for c in checks]
