"""M7: whatever is refused says what, why and what to do. Read from the source, so that no new refusal can forget it."""

import ast
import re

import pytest

from bot.commands.answers import Refusal
from bot.slack.replies import refusal_message
from tests.fakes.messages import texts
from tests.fakes.rollouts import rollout
from tests.source_codes import ROOT, source_files

_WAY = re.compile(
    r"`|“|\?|\b(say|name|names|look|try|use|ask|take|give|choose|wait|leave|write|type|open|add|set|put|start|see|"
    r"correct|shorten|mend|repair|press|resume|rollback|promote|send|make|close|end|install|configure|decide|"
    r"read|copy|plan|nobody ha[ds]|count|spell|meant|works|needs?|one of|must|may|only|known|takes|goes|expected|"
    r"is for)\b",
    re.IGNORECASE,
)
"""What a sentence has that leads on: a command, a question, an imperative, what there is to choose from."""


def refused():
    for path in source_files():
        if {"cli", "api"} & set(path.parts):
            continue  # their doors are for programs
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = ast.unparse(node.func).rpartition(".")[2]
                sentence = _constants(node.args[0])
                if (
                    name in {"Refusal", "WordsError", "WrongStateError"}
                    and len(sentence.split()) > 1
                ):
                    yield pytest.param(sentence, id=f"{path.relative_to(ROOT)}:{node.lineno}")


def _constants(node):
    found = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return " ".join(str(value) for value in found if isinstance(value, str)).strip()


@pytest.mark.parametrize("sentence", list(refused()))
def test_a_refusal_in_the_source_leads_on(sentence):
    assert len(sentence.split()) >= 4
    assert not re.search(r"\binvalid\b", sentence, re.IGNORECASE)
    assert _WAY.search(sentence)


def rows():
    page = (ROOT / "docs/errors.md").read_text("utf-8")
    return [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0].strip(" `"))
def test_every_code_has_what_why_and_what_to_do(row):
    cells = [cell.strip() for cell in row]
    assert all(cells)
    assert not re.search(r"\binvalid\b", " ".join(cells), re.IGNORECASE)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("The line is frozen. Wait.", "*Nothing was changed.* The line is frozen. Wait."),
        (
            "Nothing was changed: that gate is closed.",
            "*Nothing was changed.* That gate is closed.",
        ),
        ("It is live. Nothing was changed.", "*Nothing was changed.* It is live."),
        ("Odd button; nothing was changed. Look.", "*Nothing was changed.* Odd button. Look."),
        ("checkout is busy.", "*Nothing was changed.* checkout is busy."),
    ],
)
def test_that_nothing_was_changed_is_said_once_and_first(sentence, said):
    message = refusal_message(Refusal(sentence, code="odd"))
    assert texts(message).startswith(f"{said}\n")
    assert message.text == f"{said.replace('*', '')} [odd]"


def test_a_moment_in_a_refusal_is_shown_in_the_readers_zone():
    told = texts(
        refusal_message(
            Refusal("Locked until 2026-09-01 14:00 UTC, or 2026-99-99 14:00 UTC.", code="locked")
        )
    )
    assert "<!date^1788271200^" in told
    assert "2026-99-99 14:00 UTC" in told


def test_a_refusal_about_a_rollout_says_how_it_stands_and_where_its_card_is():
    refusal = Refusal(
        "That gate is closed.", code="gate_closed", rollout=rollout("canary", "Soak", weight=25.0)
    )
    told = texts(refusal_message(refusal, "https://s.example/p1", "e-12ab", "Promote <!here>"))
    assert "You pressed “Promote &lt;!here&gt;”." in told
    assert (
        "Now: checkout v2 in production is 🔵 in progress, 25 %, stage 1 of 2 · <https://s.example/p1|Open its card>"
        in told
    )
    assert told.endswith("code `gate_closed` · e-12ab")
