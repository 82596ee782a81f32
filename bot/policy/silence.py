"""What somebody is told whom Slack did not say enough about: about whom, why, and what would help. Pure."""

from collections.abc import Sequence

from bot.policy.people import Decision, Membership, Silence

_TOKEN = {"account_inactive", "token_revoked", "invalid_auth", "not_authed", "token_expired"}
_SCOPE = {"missing_scope", "not_allowed_token_type"}
_GONE = {"no_such_subteam", "subteam_not_found"}


def unsaid(you: str, asked: Sequence[str], membership: Membership | None, so: str) -> Decision:
    """Return the refusal: Slack said nothing about one of the groups and people `asked`, so this is not done.

    `you` is who is told.
    """
    silent = membership.silent if membership is not None else {}
    found = ((one, silent[one]) for one in asked if one in silent)
    who, why = next(found, (asked[0], Silence("")))
    what = (
        f"who is in {who}"
        if who.startswith("S")
        else "who you are"
        if who == you
        else f"who {who} is"
    )
    because = f" ({why.code})" if why.code else ""
    silence = f"Slack did not say {what}{because}"
    return Decision(
        False,
        "identity_unavailable",
        f"{silence}, so {so}; rollback and pause still work. {_way(why)}",
        again=why.passing,
        why=silence,
    )


def _way(why: Silence) -> str:
    """Return what helps."""
    if why.passing:
        return "Try again in a minute."
    if why.code in _TOKEN:
        return "It refuses the bot's token, which has to be replaced."
    if why.code in _SCOPE:
        return "The bot lacks a scope: `sluice doctor` names it, and an admin adds it."
    if why.code in _GONE:
        return "There is no such user group any more: correct `approvers` in sluice.yaml."
    return "`sluice doctor` tells more."
