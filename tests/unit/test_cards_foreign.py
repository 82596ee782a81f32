"""A18: nothing that somebody else wrote is obeyed: no message of any row mentions, links or fences by foreign text.

Every kind of message of every plan and phase is drawn with names, versions, reasons, metrics, journal lines and commit
titles that try; whatever markup is left has to be ours. Slack's own limits are checked on the way.
"""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.commands.answers import Answer, Live, Offer, Refusal
from bot.grammar import WordsError
from bot.rollout.choices import choices
from bot.rollout.locks import Lock
from bot.rollout.part import SmokeResult, Trouble
from bot.rollout.question import ClosedGate, Gate, Vote
from bot.rollout.trail import Looker, Stage, Trail, Yes
from bot.rollout.values import Back, Entry, Phase
from bot.slack import asking, broadcasts, cards
from bot.slack.detailing import details_message
from bot.slack.limits import problems
from bot.slack.replies import answer_message, refusal_message
from bot.slack.versions_form import version_line
from strategies.verdict import Judgement, Look, Result, Sample, Verdict
from tests.fakes.rollouts import NOON, PLANS, armed, rollout

EVIL = [
    "<!channel> now",
    "<@U0EVIL> said",
    "<https://evil.example|v2>",
    "x ``` y `z`",
    "\u202eevil\u200b\u2066",
    "a\n🟢 forged · approved",
    "&lt;!here&gt; & <",
    "<!date^1^{date}|now>",
    "E" * 5000,
]
FORBIDDEN = (
    "<!channel",
    "<!here",
    "<!everyone",
    "<@U0EVIL",
    "<https://evil",
    "<!date^1^",
    "\u202e",
    "\u200b",
    "\u2066",
)

_FENCED = re.compile(r"```.*?```", re.DOTALL)
"""What a container wrote keeps its lines, in a fence."""
IN_TEXT = tuple(token for token in FORBIDDEN if not token.startswith("<!date"))
"""Of the notification: a moment in the reader's zone calls nobody, and it is no line of a card."""


def evil_row(text, plan="canary", phase=Phase.RUNNING, **changes):
    samples = (
        Sample("requests", 1000.0, 900.0),
        Sample("error_rate", 0.1, 9.0, text, text),
        Sample(text, None, None, text, text),
    )
    failed = Result(text, text, 9.0, 0.1, Verdict.FAIL, "rollback", text)
    judgement = Judgement(
        Verdict.FAIL, (failed, replace(failed, metric="error_rate")), sentence=text
    )
    look = Look(NOON, 60, samples)
    row = rollout(plan, phase=phase, armed=armed("blue"))
    row = replace(
        row,
        service=text[:60],
        environment=text[:60],
        version=text[:200],
        from_version=text[:200],
        reason=text,
        requester=text,
        code="check_failed",
        look=look,
        judgement=judgement,
        trouble=Trouble("odd", text, NOON),
        started=NOON,
        back=Back(
            "check_failed", text, text, NOON, True, 50.0, judgement, rest=text, left=text, cut=text
        ),
        looker=Looker(text, NOON),
        closed=(ClosedGate("g0", text, (text,)),),
        trail=Trail(
            (Stage(1, NOON, NOON, "failed", left=True),), (Yes((text,), 25.0),), 2, False, 9.0, NOON
        ),
        progress=replace(row.progress, smoke=(SmokeResult(text, False, text),)),
    )
    if phase.final:
        row = replace(row, ended=NOON + timedelta(hours=1))
    return replace(row, **changes)


def messages(row, text):
    """Every message that can be made of a row."""
    yield cards.card(row)
    gate = Gate(
        "g1", "approve", NOON, NOON, 2, (text,), (Vote(text, NOON),), row.look, row.judgement
    )
    yield asking.gate_card(replace(row, phase=Phase.WAITING, gate=gate), gate)
    yield cards.card(replace(row, phase=Phase.WAITING, gate=gate))
    for verb in ("rolled_back", "rollback_failing", "held", "reminded"):
        yield broadcasts.broadcast(row, Entry(verb, text, text))
    yield cards.thread_lines([Entry("log", text, text), Entry("held", text, text)])
    yield details_message(
        row, [(NOON, Entry("log", text, text)), (NOON, Entry("held", text, text))]
    )
    yield from answers(row, text)
    offers = [Offer(text[:60], "status")]
    yield refusal_message(Refusal(text, code="odd", rollout=row, offers=offers), "", "e-1", text)
    yield refusal_message(WordsError(text, code="unknown_word", key=text))


def answers(row, text):
    lock = Lock("l1", "lock", text, text, text, text, text, NOON)
    other = replace(row, service="other", id="r-8")
    live = {row.target: Live(text, NOON, text)}
    for rows in ((row,), (row, other)):
        yield answer_message(Answer(text, rows=rows, kind="status", live=live, locks=(lock,)))
        yield answer_message(Answer(text, rows=rows, kind="history"))
        yield answer_message(Answer(text, rows=rows, kind="schedule"))
    yield answer_message(Answer(text, rollout=row))


def markup(message):
    for block in message.blocks:
        for part in [block.get("text"), *block.get("elements", ())]:
            if isinstance(part, dict) and part.get("type") == "mrkdwn":
                yield part["text"]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_no_foreign_text_is_obeyed_and_slack_takes_every_message(text, phase):
    for plan in PLANS if phase is Phase.RUNNING else ["canary"]:
        for message in messages(evil_row(text, plan, phase), text):
            assert problems(message.payload()) == []
            assert not [token for token in IN_TEXT if token in message.payload()["text"]]
            for shown in markup(message):
                assert not [token for token in FORBIDDEN if token in shown]
                # A fence of ours opens and closes; one more backtick would be somebody else's.
                assert shown.count("```") % 2 == 0 or shown.endswith("…")
                assert "\n🟢 forged" not in _FENCED.sub("", shown)


@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_a_form_of_versions_obeys_nobody_either(text):
    rows = [
        evil_row(text, phase=Phase.ROLLED_BACK),
        evil_row("v1", phase=Phase.SUCCEEDED, from_version="v0"),
    ]
    for choice in choices(rows):
        assert not [token for token in FORBIDDEN if token in version_line(choice)]
