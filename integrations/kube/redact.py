"""Take secrets out of foreign text before it is kept or shown: what a container logged, for example.

Pure. Errs on the side of hiding: a line that lost a word can still be read, a token in a channel cannot be taken back.
Each rule replaces the secret alone, so that its name and its place stay visible.
"""

import re

HIDDEN = "[redacted]"

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]")
"""Colours: they may stand in the middle of `password=…`, and nobody sees them in Slack."""

_PEM = re.compile(r"-----BEGIN [^\n-]*-----.*?(?:-----END [^\n-]*-----|\Z)", re.DOTALL)
_PEM_REST = re.compile(r"(?:^[\w+/=\\]+[ \t\r]*\n)*[\w+/=\\]*-----END [^\n-]*-----", re.MULTILINE)
"""A block whose beginning was cut off."""

_USERINFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,30}://)(?:[^\s/?#\"'<>]*@|[^\s/@:\"'<>]*:(?!\d+/)[^\s\"'<>]*@)",
    re.IGNORECASE,
)

_NAME = (
    r"[\w.-]{0,40}(?:pass(?:wor[dt]|phrase|wd)|pwd|secret|token|credential|cookie|authorization|session[_-]?id|"
    r"(?:api|access|private|signing|encryption|account|master|auth)[_-]?key)[\w.-]{0,64}"
)
_VALUE = (
    r"(?:\[redacted\]|\\+\"(?:[^\"\\\n]|\\\\)*(?:\\+\")?|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?|"
    r"(?:(?:bearer|basic|token|digest|apikey)\s+)?[^\s\"']+)"
)
_PAIR = re.compile(rf"(?P<name>{_NAME}\\*[\"']?\s*(?::|=>?)\s*){_VALUE}", re.IGNORECASE)
_FLAG = re.compile(rf"(?P<name>--?{_NAME}\s+){_VALUE}", re.IGNORECASE)
_HEADER = re.compile(
    r"(?P<name>\b(?:(?:set-)?cookie|(?:proxy-)?authorization)[ \t]*[:=][ \t]*)[^\"'\s][^\n]*",
    re.IGNORECASE,
)
_SCHEME = re.compile(
    r"(?P<name>\b(?:bearer|basic)[ \t]+)(?![a-z]{1,15}(?:[,;.!?:]?\s|$))[^\s\"',;]{8,}",
    re.IGNORECASE,
)

_KNOWN = re.compile(
    r"\b(?:"
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ABIA|ACCA)[A-Z0-9]{12,}"  # AWS
    r"|eyJ[\w-]{4,}(?:\.[\w-]*){0,4}"  # a JWT, or the head of one
    r"|xox[a-z]-[\w-]+|xapp-[\w-]+"  # Slack
    r"|gh[a-z]_\w{16,}|github_pat_\w+|glpat-[\w-]+"  # GitHub, GitLab
    r"|[srp]k[_-](?:live|test|proj|ant)[\w-]+|sk-[\w-]{16,}"  # Stripe and others
    r"|AIza[\w-]{20,}|ya29\.[\w.-]+|whsec_[\w+/=]+|hv[sb]\.[\w-]+|npm_\w{20,}|pypi-[\w-]{16,}"
    r")"
)

_HEX = re.compile(r"(?<!sha256:)(?<![0-9a-zA-Z])[0-9a-fA-F]{32,}(?![0-9a-zA-Z])")
_RUN = re.compile(r"(?<!sha256:)(?<![\w+/-])[\w+/-]{24,}={0,2}", re.ASCII)
_WORD = re.compile(
    # camelCase, lower case with digits (a pod's name has such parts), UPPER case: what programs call their things.
    r"[A-Z]{0,5}[a-z]{0,18}(?:[A-Z]{1,5}[a-z]{2,18}){0,6}\d{0,4}|[a-z0-9]{1,12}|[A-Z0-9]{1,12}"
)


def redact(text: str) -> str:
    """Return the text without what looks like a secret. Line breaks stay, colours go."""
    text = _ANSI.sub("", text)
    text = _PEM_REST.sub(HIDDEN, _PEM.sub(HIDDEN, text))
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    for rule in (_HEADER, _PAIR, _FLAG, _SCHEME):
        text = rule.sub(rf"\g<name>{HIDDEN}", text)
    text = _KNOWN.sub(HIDDEN, text)
    text = _HEX.sub(HIDDEN, text)
    return _RUN.sub(_unless_ordinary, text)


def _unless_ordinary(found: re.Match[str]) -> str:
    """Hide a long run of letters and digits unless it reads like a path, a name or a constant."""
    parts = re.split(r"[/_+=-]", found[0])
    return found[0] if all(_WORD.fullmatch(part) for part in parts) else HIDDEN
