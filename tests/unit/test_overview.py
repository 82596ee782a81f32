"""The Home tab stays within Slack's limits, counts what it leaves out, and offers only what can be done."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.rollout.locks import Lock
from bot.rollout.values import Phase
from bot.slack.limits import problems
from bot.slack.overview import Overview, first_line, form_blocks, home_blocks
from tests.fakes.rollouts import NOON as NOW
from tests.fakes.rollouts import rollout

HOSTILE = "<!channel> `x` *b* \u202e " + "long" * 200


def many(n: int, **changes):
    made = replace(rollout(), **changes)
    return [replace(made, id=f"r-{i}", service=f"s{i}") for i in range(n)]


def crowd(n: int, **changes) -> Overview:
    done = {"phase": Phase.SUCCEEDED, "ended": NOW, "gate": None}
    return Overview(
        NOW,
        flying=many(n, **changes),
        ended=many(n, **done),
        live=[replace(r, service=f"old-{r.service}") for r in many(n, **done)],
        later=many(n, phase=Phase.SCHEDULED, due=NOW),
        held=[Lock("l", "lock", "s", "production", "", "U0BEN", HOSTILE, NOW)] * n,
    )


@pytest.mark.parametrize("n", [0, 1, 30, 500])
def test_any_number_of_rollouts_fits(n):
    seen = crowd(n)
    home = {"type": "home", "blocks": [first_line(NOW), *home_blocks(seen)]}
    assert problems({"view": home}) == []
    assert len(home["blocks"]) <= 100 - 10, "an answer at the top needs room"
    assert problems({"view": modal(form_blocks(seen))}) == []


def modal(blocks):
    return {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": blocks}


def test_what_is_left_out_is_counted():
    assert "+ 470 more" in str(home_blocks(crowd(500)))


def test_foreign_words_are_shown_and_never_obeyed():
    seen = crowd(1, version=HOSTILE, requester="<!here>")
    assert problems({"view": modal(form_blocks(seen))}) == []
    lines = [b["text"]["text"] for b in form_blocks(seen) if b["type"] == "section"]
    assert "&lt;!channel&gt;" in str(lines)
    assert "<!" not in str(lines).replace("<!date^", "")


def test_every_button_says_what_it_undoes():
    seen = crowd(1)
    spoken = [b["accessory"]["accessibility_label"] for b in home_blocks(seen) if "accessory" in b]
    assert spoken
    assert all(" in " in label and " from " in label for label in spoken)


def test_the_environment_tells_the_buttons_of_one_service_apart():
    here, there = (replace(rollout(), id=i, environment=i, gate=None) for i in ("production", "eu"))
    labels = str(home_blocks(Overview(NOW, flying=[here, there])))
    assert f"Roll back {here.service} eu" in labels
    assert f"Roll back {here.service} production" in labels


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, True),
        ({"phase": Phase.ROLLING_BACK}, False),
        ({"rollback_of": "r-0"}, False),
    ],
)
def test_what_is_on_its_way_home_has_no_button(changes, offered):
    seen = Overview(NOW, flying=[replace(rollout(), gate=None, **changes)])
    assert ("Roll back" in str(home_blocks(seen))) is offered


@pytest.mark.parametrize(("age", "offered"), [(1, False), (61, True)])
def test_a_rollback_of_the_last_hour_is_not_undone_by_a_tap(age, offered):
    done = replace(
        rollout(), phase=Phase.SUCCEEDED, gate=None, rollback_of="r-0",
        ended=NOW - timedelta(minutes=age),
    )  # fmt: skip
    assert bool(Overview(NOW, ended=[done]).undoable()) is offered


def test_only_the_newest_of_a_target_can_be_undone_and_nothing_while_one_is_in_flight():
    done = replace(rollout(), phase=Phase.SUCCEEDED, gate=None, ended=NOW)
    older = replace(done, id="r-older")
    assert Overview(NOW, ended=[done, older]).undoable() == [done]
    flying = replace(rollout(), id="r-flying", gate=None)
    assert Overview(NOW, flying=[flying], ended=[done]).undoable() == [flying]


def test_whoever_is_kept_out_reads_one_sentence():
    (told,) = home_blocks(replace(crowd(3), barred="Guests cannot use this bot."))
    assert told["text"]["text"] == "Guests cannot use this bot."
