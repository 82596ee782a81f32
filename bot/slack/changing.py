"""What a version changes, in one line: how much, by how many, where to read it, what is hard to take back. Pure."""

from bot.rollout.changes import Changes
from bot.slack.blocks import escape, link

_TOUCHED, _TITLES = 3, 5


def changes_line(changes: Changes | None) -> str:
    """Return it as mrkdwn: `7 commits, 3 authors · compare · ⚠ touches migrations/`; `""`: nothing can be said."""
    if changes is None:
        return ""
    parts = (
        _amount(changes),
        link(changes.link, "compare"),
        _touched(changes),
        escape(changes.note),
    )
    return " · ".join(part for part in parts if part)


def titles_line(changes: Changes | None) -> str:
    """Return what the newest commits say about themselves; `""`: nothing."""
    if changes is None or not changes.titles:
        return ""
    shown = [f"• {escape(title)}" for title in changes.titles[:_TITLES]]
    more = (changes.count or 0) - len(shown)
    return "\n".join([*shown, *([f"+ {more} more"] if more > 0 else [])])


def _amount(changes: Changes) -> str:
    if changes.count is None:
        return ""
    back = _counted(changes.behind, "commit") + " of the live version missing"
    if not changes.count:
        return back if changes.behind else "no commits"
    least = "" if changes.whole else "at least "
    said = f"{_counted(changes.count, 'commit')}, {least}{_counted(changes.people, 'author')}"
    return f"{said}, {back}" if changes.behind else said


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _touched(changes: Changes) -> str:
    if not changes.touched:
        return ""
    more = len(changes.touched) - _TOUCHED
    rest = f" + {more} more" if more > 0 else ""
    return f"⚠ touches {', '.join(escape(path) for path in changes.touched[:_TOUCHED])}{rest}"
