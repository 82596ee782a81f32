"""The looks of several targets taken together: the worst of them decides, and whoever asks is heard. Pure.

The one rule: what is said names its target. What one target fails, asks or warns of is never covered by another that is
as bad, and "on every target" is said of nothing else than that.
"""

from collections.abc import Mapping
from dataclasses import replace

from bot.rollout.judging import judged, keeping, new_warnings
from bot.rollout.part import Part
from bot.rollout.parts import own, put, view
from bot.rollout.scoring import observing
from bot.rollout.seen import Seen
from bot.rollout.values import Entry, Phase, Rollout
from strategies.verdict import Judgement, Look, Verdict

Looks = Mapping[str, tuple[Look, Judgement]]
"""What each target's own look came to."""

_FAILS, _ASKS, _UNCLEAR, _WARNS, _FINE = range(5)
_MOST = 3
"""Targets that are quoted in one sentence."""


def each_judged(r: Rollout, seen: Seen) -> tuple[Rollout, Looks]:
    """Judge the look of each target; how often a check failed is counted for each of them."""
    looks: dict[str, tuple[Look, Judgement]] = {}
    for part in r.parts:
        sight = _sight(part, seen)
        look = sight.look
        if look is None or r.watched is None:
            continue
        judgement, fails = judged(view(r, part), r.watched, sight)
        looks[part.name] = (look, judgement)
        r = observing(r, judgement, seen.now, part.name)
        mine = view(r, part)
        mine = replace(mine, progress=replace(mine.progress, fails=fails))
        if judgement.verdict is Verdict.FAIL:
            # What it turns around by is kept with that line, so it has to be there already.
            mine = keeping(mine, sight, judgement)
        r = put(r, own(part, mine))
    return r, looks


def with_worst(r: Rollout, seen: Seen, looks: Looks) -> Seen:
    """Return what was seen, with the look of the worst target as the one that counts."""
    if not looks:
        return seen
    ranks = {name: _rank(judgement) for name, (_, judgement) in looks.items()}
    worst = min(ranks.values())
    names = [name for name, rank in ranks.items() if rank == worst]
    look, judgement = looks[names[0]]
    if _ASKS in ranks.values() and _UNCLEAR in ranks.values():
        judgement = replace(judgement, verdict=Verdict.INCONCLUSIVE)
    named = replace(judgement, sentence=_sentence(r, looks, names))
    return replace(seen, look=look, judged=(named, r.progress.fails))


def _rank(judgement: Judgement) -> int:
    if judgement.verdict is Verdict.FAIL:
        return _FAILS
    if judgement.asks:
        return _ASKS
    if judgement.verdict is Verdict.INCONCLUSIVE:
        return _UNCLEAR
    return _WARNS if judgement.failed("warn") else _FINE


def _sentence(r: Rollout, looks: Looks, worst: list[str]) -> str:
    """Return what the worst targets say; of those that are unclear the first, which the others wait for anyway."""
    said = {name: judgement.sentence for name, (_, judgement) in looks.items()}
    rank = _rank(looks[worst[0]][1])
    watched = {part.name for part in r.parts if not part.unwatched}
    if rank == _FINE and watched <= set(looks) and len(set(said.values())) == 1:
        return f"{said[worst[0]]} on every target"
    told = worst[: 1 if rank == _UNCLEAR else _MOST]
    more = f"; {len(worst) - len(told)} more as well" if _MOST == len(told) < len(worst) else ""
    return "; ".join(f"{name}: {said[name]}" for name in told) + more


def each_warned(r: Rollout, seen: Seen, looks: Looks) -> Rollout:
    """Say what each target newly warns of, and keep the look that it was seen in."""
    told = [
        (part.name, one.sentence)
        for part in r.parts
        if part.name in looks
        for one in new_warnings(part.judgement, looks[part.name][1])
    ]
    if not told or seen.judged is None or r.phase is Phase.ROLLING_BACK:
        return r
    r = keeping(r, seen, seen.judged[0])
    for name, sentence in told:
        text = f"Warning: {name}: {sentence}."
        r = r.tell(Entry("warned", "sluice", text, code="check_warned"))
    return r


def each_shown(r: Rollout, seen: Seen, looks: Looks) -> Rollout:
    """Keep the numbers of every target as often as those of the row."""
    if not looks or r.look is not seen.look:
        return r
    parts = (
        own(part, keeping(view(r, part), _sight(part, seen), looks[part.name][1]))
        if part.name in looks
        else part
        for part in r.parts
    )
    return replace(r, parts=tuple(parts))


def afterwards(r: Rollout, seen: Seen) -> Seen:
    """Return what was seen, with the numbers of the target that failed, else of the first."""
    failed = [part for part in r.parts if part.judgement and part.judgement.verdict is Verdict.FAIL]
    watched = [part for part in r.parts if not part.unwatched]
    sight = _sight([*failed, *watched, *r.parts][0], seen)
    return replace(seen, look=sight.look, trouble=sight.trouble)


def _sight(part: Part, seen: Seen) -> Seen:
    """Return what was seen of one target; nothing where it was not looked at."""
    return seen.parts.get(part.name) or Seen(seen.now)
