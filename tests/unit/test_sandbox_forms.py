"""What a press in the sandbox means: the element of the block that was seen, or its successor after an edit."""

import pytest

from bot.sandbox.forms import find_element


def row(block_id: str, *actions: str):
    elements = [
        {"type": "button", "action_id": one, "text": {"type": "plain_text", "text": one.title()}}
        for one in actions
    ]
    return {"type": "actions", "block_id": block_id, "elements": elements}


def test_a_press_on_what_an_edit_has_replaced_meanwhile_still_arrives():
    block, element = find_element((row("new", "promote", "pause"),), "promote", "old")
    assert (block, element["action_id"]) == ("new", "promote")


def test_of_two_of_one_name_the_block_that_was_seen_decides():
    blocks = (row("one", "promote"), row("two", "promote"))
    assert find_element(blocks, "promote", "two")[0] == "two"
    with pytest.raises(LookupError, match="2 elements"):
        find_element(blocks, "promote", "gone")


def test_what_is_not_there_is_named():
    with pytest.raises(LookupError, match=r"0 elements are called 'keep'.*Pause"):
        find_element((row("one", "pause"),), "keep", "one")
