"""What everybody must see: a version that was taken back by itself, a rollback that needs hands, a rollout that holds.

Pure. Who is called is mentioned once, in the first line; what follows is why, what was done, how it stands now.
"""

from bot.rollout.impact import affected, exactly, home_at
from bot.rollout.locks import quarantine_words
from bot.rollout.values import Back, Entry, Phase, Rollout
from bot.slack.blocks import Block, actions, button, context, escape, hour, mention, section
from bot.slack.cards import value
from bot.slack.message import Message
from bot.slack.wording import sign, told
from strategies.verdict import Verdict

_STUCK = {"rollback_failing", "rollback_held", "needs_attention"}
"""The lines that a rollback is told with which does not get home."""


def broadcast(r: Rollout, entry: Entry) -> Message:
    """Return what everybody must see, with the on-call group mentioned."""
    if entry.verb == "rolled_back" and r.back is not None and r.back.automatic:
        return _taken_back(r, r.back, entry)
    if entry.verb in _STUCK and r.back is not None:
        return _stuck(r, r.back, entry)
    blocks: list[Block] = [section(f"{_oncall(r)}{sign(r)}: {told(entry)}")]
    judgement = r.back.judgement if r.back else None
    if judgement is not None:
        blocks.append(context(" · ".join(escape(x.sentence) for x in judgement.results)[:2900]))
    if r.phase in {Phase.PAUSED, Phase.NEEDS_ATTENTION}:
        blocks.append(_buttons(r))
    return Message(f"{sign(r)}: {entry.text}", tuple(blocks))


def _oncall(r: Rollout) -> str:
    return f"{mention(r.rules.oncall)} " if r.rules.oncall else ""


def _taken_back(r: Rollout, back: Back, entry: Entry) -> Message:
    ways = f"{escape(r.service)} {escape(r.version)} → {escape(r.from_version)}"
    title = f"{_oncall(r)}🔴 *Rolled back {ways} in {escape(r.environment)} automatically*"
    facts = [
        ("Why", _why(back)),
        ("Done", _done(r, back)),
        ("Now", escape(quarantine_words(r))),
        ("Affected", escape(affected(r))),
    ]
    lines = [f"*{name}*  {said}" for name, said in facts if said]
    blocks = [section(title), section("\n".join(lines)), _buttons(r)]
    return Message(f"{sign(r)}: {entry.text}", tuple(blocks))


def _why(back: Back) -> str:
    results = back.judgement.failed("rollback") if back.judgement is not None else ()
    if not results:
        return escape(back.reason)
    failed = "; ".join(escape(result.sentence) for result in results[:5])
    at = f" at {back.weight:g} %, seen {hour(back.at)}"
    also = [x for x in (back.judgement.results if back.judgement else ()) if x not in results]
    rest = [escape(x.sentence) for x in also if x.verdict is Verdict.FAIL][:3]
    return f"{failed}{at}" + (f" (also: {'; '.join(rest)})" if rest else "")


def _done(r: Rollout, back: Back) -> str:
    home = home_at(r)
    if home is None:
        return ""
    seconds = exactly((home - back.at).total_seconds())
    when = f"{hour(home)}, {seconds} after it was seen, read back"
    if back.rest:
        return f"the split is as before since {when}; but {escape(back.rest)}"
    what = (
        f"all instances run {escape(r.from_version)}"
        if r.lanes == "one"
        else f"all traffic is on {escape(r.from_version)}"
    )
    tail = [f"{escape(back.left)} still names {escape(r.version)}"] if back.left else []
    tail += [escape(back.cut)] if back.cut else []
    return "; ".join([f"{what} since {when}", *tail])


def _stuck(r: Rollout, back: Back, entry: Entry) -> Message:
    goal = escape(r.from_version or "the version before")
    title = f"{_oncall(r)}🔥 *The rollback of {escape(r.service)} in {escape(r.environment)} to {goal} needs hands*"
    blocks = [section(title), section(told(entry))]
    if back.home is None:
        blocks.append(section(f"By hand, where it is Kubernetes:\n```\n{_by_hand(r)}\n```"))
    blocks.append(_buttons(r))
    plain = f"🔥 the rollback of {r.service} in {r.environment} needs hands: {entry.text}"
    return Message(plain, tuple(blocks))


def _by_hand(r: Rollout) -> str:
    """Return what the operations page says for the shape of this target, with what is known of it filled in."""
    end = f"/deploy resolve {escape(r.service)} {escape(r.environment)} because done by hand"
    image = escape(r.armed.stable.image) if r.armed is not None else "IMAGE"
    match r.lanes:
        case "one":
            first = f"kubectl -n NAMESPACE set image deployment/NAME CONTAINER={image}"
        case "swap":
            live = escape(r.armed.live) if r.armed is not None and r.armed.live else "stable"
            first = f"kubectl -n NAMESPACE edit service NAME   # all traffic to {live}"
        case "led":
            first = "kubectl argo rollouts -n NAMESPACE abort NAME"
        case _:
            first = "kubectl -n NAMESPACE edit virtualservice NAME   # stable 100, canary 0"
    return f"{first}\n{end}"


def _buttons(r: Rollout) -> Block:
    return actions(
        button("I look at it", "acknowledge", value(r)), button("Details", "details", value(r))
    )
