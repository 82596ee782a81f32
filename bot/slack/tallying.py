"""The answer to `stats`: a sentence, one line per strategy, and what the columns mean. Pure."""

from bot.rollout.times import lasting
from bot.slack.blocks import Block, context, escape, section, table_text
from bot.slack.message import Message
from bot.slack.wording import percent
from bot.stats import MOST, Spread, Stats, Tally, observed_sentence, summary
from strategies.telling import counted

_HEAD = (
    "Strategy", "Ended", "Succeeded", "Machine", "90 % under", "People", "90 % under", "Rolled back", "Per week",
)  # fmt: skip
_NOTHING = "–"


def stats_message(stats: Stats) -> Message:
    """Return the numbers as people read them."""
    said = summary(stats)
    if not stats.strategies:
        return Message(said, (section(escape(said)),))
    blocks: list[Block] = [section(f"*{escape(said)}*"), section(table_text(_rows(stats)))]
    notes = _notes(stats.total)
    if stats.observing is not None:
        notes.append(observed_sentence(stats.observing))
    if notes:
        blocks.append(section("\n".join(f"• {escape(note)}" for note in notes)))
    blocks.append(context(_LEGEND))
    if stats.bounded:
        blocks.append(context(f"Only the newest {MOST:,} rollouts are counted."))
    return Message(said, tuple(blocks))


_LEGEND = (
    "Machine and People: what those that succeeded took, the median; People is the time that they waited for somebody. "
    "Rolled back counts those after success too."
)


def _rows(stats: Stats) -> list[tuple[str, ...]]:
    every = [(tally.strategy, tally) for tally in stats.strategies]
    if len(every) > 1:
        every.append(("all", stats.total))
    return [_HEAD, *(_row(name, tally, stats) for name, tally in every)]


def _row(name: str, tally: Tally, stats: Stats) -> tuple[str, ...]:
    rate = tally.success_rate
    return (
        name,
        str(tally.finished),
        _NOTHING if rate is None else percent(round(rate)),
        *_spread(tally.machine),
        *_spread(tally.waited),
        str(tally.rollbacks),
        f"{stats.per_week(tally):.1f}",
    )


def _spread(spread: Spread | None) -> tuple[str, str]:
    if spread is None:
        return _NOTHING, _NOTHING
    return lasting(spread.median), lasting(spread.p90)


def _notes(total: Tally) -> list[str]:
    notes = []
    if total.rollbacks:
        notes.append(
            f"Rolled back: {total.automatic} by itself ({total.degraded} for its metrics), {total.by_hand} by hand, "
            f"{total.undone} after success."
        )
    if total.warned:
        notes.append(f"A check warned in {counted(total.warned, 'rollout')}.")
    if total.approval is not None:
        wait, long = lasting(total.approval.median), lasting(total.approval.p90)
        notes.append(f"A gate was open for {wait} until it was let pass (90 %: {long}).")
    if any(total.winners):
        a, b = total.winners
        notes.append(f"A/B tests: the new version won {b}, the old one {a}.")
    if total.resolved:
        notes.append(f"Ended by hand because the machine was stuck: {total.resolved}.")
    if total.cancelled:
        notes.append(f"Never begun, and in no other number: {counted(total.cancelled, 'rollout')}.")
    return notes
