"""A rule by header as a person may ask for it: what can be written anywhere at all.

Pure. What one provider cannot write besides is for its adapter to refuse.
"""

import re
import warnings

from integrations.base import HeaderRule, RefusedError

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")

# What Python reads and RE2 does not: look-around, atomic groups, conditions and comments, flags of its own, possessive
# quantifiers, and repetitions over a thousand; in the escapes back references, code points and the end of the text.
_NOT_RE2 = re.compile(r"\(\?(?:[=!>(#]|<[=!]|P[=>]|[a-zA-Z-]*[aLux])|[*+?}]\+|\{(?:\d*,)?\d{4}")
_NOT_RE2_ESCAPE = re.compile(r"\\[1-9ZuUN]")
_LITERAL = re.compile(r"\\[^A-Za-z0-9]")
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")


def refuse_unwritable(rule: HeaderRule) -> None:
    """Raise `RefusedError` (`bad_header_rule`) for a rule that no provider reads as it is written."""
    conditions = [rule.equals, rule.regex, rule.present]
    if len(conditions) - conditions.count(None) != 1:
        raise bad_rule(rule, "needs exactly one of equals, regex and present")
    if not _NAME.fullmatch(rule.header):
        raise bad_rule(rule, "is not the name of a header in lower case")
    if rule.regex is not None and not _is_re2(rule.regex):
        raise bad_rule(rule, "has a regular expression that RE2 does not read")


def bad_rule(rule: HeaderRule, what: str) -> RefusedError:
    """Return the refusal of a rule; `what` goes on behind its header."""
    return RefusedError(
        f"The rule for the header {rule.header[:60]!r} {what}. Correct it.", code="bad_header_rule"
    )


def already_matched(rule: HeaderRule, route: str) -> RefusedError:
    """Return the refusal of a header that the split route has a condition on."""
    return RefusedError(
        f"{route} already has a condition on the header {rule.header}, "
        "and a second one cannot be added. Choose another header for the audience.",
        code="header_already_matched",
    )


def _is_re2(regex: str) -> bool:
    """Say whether a proxy would read it: one that does not may refuse all routes it was sent, not only this one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what a later Python will read otherwise
        try:
            re.compile(regex)
        except (re.error, OverflowError, RecursionError):
            return False
    plain = _LITERAL.sub("_", regex)
    return not (_NOT_RE2_ESCAPE.search(plain) or _NOT_RE2.search(_CLASS.sub("_", plain)))
