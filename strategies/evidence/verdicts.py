"""The three outcomes of judging: there is no fourth, and "I do not know" is one of them."""

from enum import StrEnum


class Verdict(StrEnum):
    """What a look says about the canary."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
