"""Several targets of one rollout as a table: how far each of them is, and its own numbers. Pure."""

from bot.rollout.part import Part
from bot.rollout.parts import turn_of, view
from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import Block, section, table_text
from bot.slack.standing import moved
from bot.slack.wording import percent
from strategies.verdict import number


def matrix(r: Rollout) -> list[Block]:
    """Return the table of the targets; nothing where there is one only."""
    if not r.parts:
        return []
    rows = [["Target", "share", "errors", "p95", "state"]]
    rows += [
        [part.name, _share(r, part), *(_numbers(r, part)), state_of(r, part)] for part in r.parts
    ]
    return [section(table_text(rows))]


def whose(r: Rollout) -> str:
    """Return which of several targets the numbers of the row are from: the worst; `""` where there is one only."""
    names = [part.name for part in r.parts if part.look is not None and part.look == r.look]
    return f"numbers of {names[0]}, the worst" if names else ""


def _share(r: Rollout, part: Part) -> str:
    if r.lanes == "one" and part.armed:
        return moved(view(r, part))
    share = percent(100.0 if r.live_changed else part.weight)
    # Of a flag it is told which value that share has: going back it is the other one.
    return f"{share} {part.to}" if part.lanes and part.to else share


def _numbers(r: Rollout, part: Part) -> list[str]:
    if part.look is None or r.phase.final:
        return ["–", "–"]
    shown = []
    for metric in ("error_rate", "latency_p95"):
        sample = part.look.get(metric)
        shown.append(
            number(sample.canary, metric) if sample.canary is not None else sample.why_canary
        )
    return shown


def state_of(r: Rollout, part: Part) -> str:
    """Return in a few words what one target is doing."""
    if part.trouble is not None:
        return part.trouble.code.replace("_", " ")
    if r.phase.final:
        return "as before" if r.phase is Phase.ROLLED_BACK else r.phase.value.lower()
    if r.phase in {Phase.ROLLING_BACK, Phase.NEEDS_ATTENTION}:
        return _homeward(r, part)
    if part.foreign:
        return "changed by somebody"
    whose = turn_of(r)
    if whose is None:
        return "not begun" if r.armed is None else "ready"
    if whose.name == part.name:
        return "now"
    return "done" if part.done else "next"


def _homeward(r: Rollout, part: Part) -> str:
    if part.asks:
        return "needs a person"
    if r.back is None:
        return "holds"
    if part.done:
        return "home"
    return "traffic home" if part.home is not None else "going home"
