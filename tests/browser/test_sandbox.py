"""A newcomer's first five minutes: type a command, see the card, press the buttons, break the canary."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def be(page, who: str) -> None:
    page.get_by_text(who, exact=True).click()


def type_in(page, text: str) -> None:
    box = page.get_by_role("textbox")
    box.fill(text)
    box.press("Enter")


def press(page, button: str) -> None:
    page.get_by_role("button", name=button).first.click(timeout=30_000)


def sees(page, text: str) -> None:
    page.get_by_text(text).first.wait_for(timeout=40_000)


def test_a_newcomer_takes_a_canary_to_stable(page):
    type_in(page, "/deploy checkout v2 because of the new basket")
    be(page, "Ana (approver)")
    for goal in ("25 %", "50 %", "100 %", "stable"):
        press(page, f"Promote to {goal}")
    sees(page, "live at 100 %")


def test_a_broken_canary_goes_home_by_itself(page):
    type_in(page, "/deploy checkout v2")
    be(page, "Ana (approver)")
    press(page, "Promote to 25 %")
    press(page, "Break the canary")
    sees(page, "v1 has all traffic again")
    sees(page, "numbers have recovered")


def test_the_requester_cannot_approve_and_is_told_who_can(page):
    type_in(page, "/deploy checkout v2")
    press(page, "Promote to 25 %")
    sees(page, "somebody else has to approve it")
