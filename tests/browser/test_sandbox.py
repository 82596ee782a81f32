"""A newcomer's first five minutes: type a command, see the card, press the buttons, break the canary."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def be(page, who: str) -> None:
    page.get_by_text(who, exact=True).click()


def type_in(page, text: str) -> None:
    box = page.get_by_role("textbox")
    box.fill(text)
    box.press("Enter")


def press(page, button: str) -> None:
    page.get_by_role("button", name=button).first.click(timeout=60_000)


def sees(page, text: str) -> None:
    page.get_by_text(text).first.wait_for(timeout=70_000)


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


def test_the_page_offers_what_else_can_be_said_and_leaves_the_sending_to_the_person(page):
    assert page.get_by_text("Two colours, one switch").count() == 0
    press(page, "What else can I say?")
    press(page, "Two colours, one switch")

    assert page.get_by_role("textbox").input_value() == "/deploy cart v2 strategy=blue-green"
    assert page.get_by_text("Two colours, one switch").count() == 0


def test_two_colours_are_switched_and_the_old_one_stays_ready(page):
    type_in(page, "/deploy cart v2")
    be(page, "Ana (approver)")
    sees(page, "is live with v1")
    press(page, "Promote to 100 %")
    sees(page, "rollback is instant until then")
    assert page.get_by_label("Service", exact=True).input_value() == "cart"


def test_instances_move_in_batches_and_go_back_when_the_new_ones_are_bad(page):
    type_in(page, "/deploy search v2")
    be(page, "Ana (approver)")
    press(page, "Promote in batches")
    sees(page, "2 of 10 instances run v2")
    press(page, "Break the canary")
    sees(page, "all instances run v1 again")


def test_a_person_keeps_the_variant_that_was_live(page):
    type_in(page, "/deploy checkout v2 strategy=ab-test split=50/50 test-duration=5m")
    be(page, "Ana (approver)")
    press(page, "Promote to 50 %")
    sees(page, "B (v2)")
    press(page, "Keep A (v1)")
    sees(page, "v1 keeps all traffic, v2 is retired")


def test_two_regions_are_in_one_table_and_a_bad_one_takes_both_home(page):
    type_in(page, "/deploy payments v2")
    sees(page, "eu-west: 25 % of the traffic on v2")
    press(page, "Break the canary")
    sees(page, "Automatic rollback: eu-west")
    sees(page, "us-east: All traffic is back on v1")


def test_an_emergency_from_the_home_tab_and_from_the_shortcuts(page):
    type_in(page, "/deploy checkout v2")
    be(page, "Ana (approver)")
    press(page, "Promote to 25 %")
    be(page, "Olu (on call)")
    press(page, "Sluice: Home")
    sees(page, "In flight")
    press(page, "Roll back checkout")
    sees(page, "Nothing is in flight")
    sees(page, "Last 60 minutes")
    page.get_by_role("button", name="# deploys").click()
    sees(page, "v1 has all traffic again")
    press(page, "More actions")
    assert page.get_by_role("button", name="Roll back this").count() == 1
    press(page, "Shortcuts")
    press(page, "Emergency rollback")
    page.get_by_role("dialog").get_by_text("checkout v2").first.wait_for(timeout=70_000)
