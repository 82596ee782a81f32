"""What can be said: every verb with its form and one line about it. Help texts and documents are built from this table.

Pure data. A first word that is a verb is a verb: a service of the same name is reached with `deploy` in front of it
(`/deploy deploy status v2`), so that adding a service never changes what a line means.
"""

from dataclasses import dataclass

_START = "SERVICE VERSION [to ENVIRONMENT] [key=value …] [because REASON…]"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One verb: what follows it, and what it does."""

    verb: str
    form: str
    about: str
    more: tuple[str, ...] = ()
    """What `help` says besides, where it is asked about this verb alone."""


PHRASES: tuple[Phrase, ...] = (
    Phrase("deploy", _START, "open traffic to a version, step by step"),
    Phrase("rollback", "[SERVICE] [ENV] [to VERSION] [now] [REASON…]", "go back; alone: list"),
    Phrase("plan", "SERVICE VERSION …", "show what deploy would do"),
    Phrase("status", "[SERVICE] [ENV]", "what is in flight and live"),
    Phrase("history", "SERVICE [ENV]", "what went out before"),
    Phrase("stats", "[SERVICE]", "how the strategies did in 30 days"),
    Phrase("promote", "SERVICE [ENV]", "vote for the open gate"),
    Phrase("approve", "SERVICE [ENV]", "the same as promote"),
    Phrase("pause", "SERVICE [ENV]", "hold; the checks go on"),
    Phrase("resume", "SERVICE [ENV]", "go on after a pause"),
    Phrase("extend", "SERVICE [ENV] [30m]", "give the gate or the soak more time"),
    Phrase("resolve", "SERVICE [ENV] REASON", "end what needs attention, by hand"),
    Phrase(
        "lock",
        "SERVICE [ENV] [for 2h] [takeover] REASON",
        "keep others out",
        (
            "Without ENV it is locked in every environment. Without `for` it lasts four hours; the most are 30 days.",
            "Said again by the owner it moves the end. `takeover` takes it from somebody else, who is told.",
            "What is in flight goes on, and going back works. `unlock` ends it.",
        ),
    ),
    Phrase("unlock", "SERVICE [ENV] [REASON]", "let them in again"),
    Phrase("freeze", "ENV [for 2h] REASON", "stop the line: nothing starts there"),
    Phrase("thaw", "ENV [REASON]", "let things start again"),
    Phrase("schedule", "[SERVICE] [ENV]", "what starts later, and when"),
    Phrase("cancel", "ID", "take a scheduled rollout back"),
    Phrase("help", "[WORD]", "this text, or about one word"),
)
VERBS = tuple(phrase.verb for phrase in PHRASES)
