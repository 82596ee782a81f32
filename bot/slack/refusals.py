"""What the codes of Slack's refusals mean: a channel that is shut, content it does not take, a limit. Pure."""

LOST = {
    "token_revoked": "the token of the bot was revoked",
    "token_expired": "the token of the bot has expired",
    "account_inactive": "the app was removed from the workspace, or its account deactivated",
    "invalid_auth": "Slack does not know the token of the bot",
    "not_authed": "no token reached Slack",
}
"""Refusals that say that no call will work, by what they mean."""

LIMITED = {"ratelimited", "rate_limited"}
"""Refusals that ask to come back later."""

UNSURE = {"fatal_error", "internal_error", "request_timeout", "service_unavailable"}
"""Refusals after which Slack itself does not know whether it was done."""

CONTENT = {
    "invalid_arguments",
    "invalid_attachments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "metadata_too_large",
    "msg_blocks_too_long",
    "msg_too_long",
}
"""Refusals of what a message consists of: its bare text may still be taken."""

_CLOSED = {
    "access_denied": "I may not see it",
    "channel_not_found": "I cannot see it",
    "is_archived": "archived",
    "no_permission": "I may not post there",
    "not_in_channel": "I am not in it",
}
_RESTRICTED = "restricted_action"
"""How the refusals begin that say that not everybody may post there."""


def closed(code: str) -> bool:
    """Whether a refusal says that a channel takes no message of ours, whatever it is."""
    return code in _CLOSED or code.startswith(_RESTRICTED)


def why_closed(code: str) -> str:
    """Return in words why a channel takes no message; the code where there are none."""
    return (
        "not everybody may post there" if code.startswith(_RESTRICTED) else _CLOSED.get(code, code)
    )
