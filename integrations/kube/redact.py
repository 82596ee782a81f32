"""Take secrets out of foreign text before it is kept or shown: what a container logged, for example.

Pure. Errs on the side of hiding: a line that lost a word can still be read, a token in a channel cannot be taken back.
Each rule replaces the secret alone, so that its name and its place stay visible. A hostile line costs no time: all are
cut first, and every repetition within a rule is bounded or has one way to match.
"""

import re

HIDDEN = "[redacted]"

_SEARCHED = 1000
"""Characters of one line that are searched and kept."""
_CUT = "\x00"
"""Marks a line that was cut while it is searched; the text has none of its own by then."""
_FRAGMENT = 300
"""Characters at the end of such a line that may be the beginning of a secret."""

_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
_ANSI = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|\x1b[@-_]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
"""Colours and what has no width: they may stand in the middle of `password=…`, and nobody sees them in Slack."""

_PEM = re.compile(r"-----BEGIN [^\n-]*-----.*?(?:-----END [^\n-]*-----|\Z)", re.DOTALL)
_PEM_REST = re.compile(
    r"(?:^[\w+/=\\]+[ \t\r]*\n)*+(?<![\w+/=\\])[\w+/=\\]*+-----END [^\n-]*-----", re.MULTILINE
)
"""A block whose beginning was cut off."""

_USERINFO = re.compile(
    # With a colon it goes on to the last @, whatever stands before; `http://host:80/@x` has a port and no password.
    r"(?P<name>\b(?:https?://(?![^\s/@:]*:\d+[/?#])|(?!https?:)[a-z][a-z0-9+.-]{0,30}://))"
    r"(?:[^\s/@:\"'<>]*:[^\s\"'<>]*@|[^\s/?#\"'<>]*@)",
    re.IGNORECASE,
)
_DSN = re.compile(
    r"(?P<name>(?<![\w.-])[\w.-]{1,64}:)[^\s\"']{1,256}@(?=[a-z][a-z0-9]{1,11}\()",  # Go: app:pw@tcp(db:3306)/x
    re.IGNORECASE,
)
_ORACLE = re.compile(
    r"(?P<name>(?<!\w)\w{1,30}/)[^\s/@\"']{1,128}@(?=//|\()",  # scott/pw@//db:1521/x
)

_PASSWORDS = (
    r"(?:pass(?:wor[dt]|phrase|wd|code|key)|pwd|bindpw"
    # Short words only by themselves: `DB_PASS` and `dbPass`, not `compass` or `passed`.
    r"|(?:(?<![a-z])(?:pass|pw)|(?-i:(?<=[a-z])P(?:ass|w)))(?![a-z]))"
)
_OTHERS = (
    r"(?:secret|token|credential|cookie|authorization|x-auth|sess(?:ion)?[_-]?id"
    r"|(?:(?<![a-z])creds?|(?-i:(?<=[a-z])Creds?))(?![a-z])"
    r"|(?:api|access|private|signing|encryption|account|master|auth)[_-]?key)"
)
_REST = r"[\w.-]{0,64}"
_IS = r"\\*[\"'`]?\*{0,2}\s*(?:(?::=?|\uff1a|=>|!?={1,3}|->)\s*|%3[ad])"
"""Between a name and its value, in whatever language; its quote may be escaped."""
_QUOTED = (
    r"\[redacted\]|\\+\"(?:[^\"\\\n]|\\\\)*(?:\\+\")?|\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?"
    # A list, a block, or the beginning of one.
    r"|\[[^\[\]]{0,300}\]|\{(?:[^{}]|\{[^{}]{0,100}\}){0,300}+\}|[\[{][^\n]*"
)
_WORD = r"(?:(?:bearer|basic|token|digest|apikey)\s+)?[^\s\"']+"
_MORE = r"(?:(?<![,;)}\]])[ \t]+(?![\w.-]{1,40}+[\"']?[ \t]?[:=])[^\s\"']+){0,12}"
"""Further words: a passphrase has spaces, and ends before the next `name=`."""
_VALUE = rf"(?:{_QUOTED}|{_WORD})"

_PHRASE = re.compile(
    rf"(?P<name>{_PASSWORDS}{_REST}{_IS})(?:{_QUOTED}|{_WORD}{_MORE})", re.IGNORECASE
)
_PAIR = re.compile(rf"(?P<name>{_OTHERS}{_REST}{_IS}){_VALUE}", re.IGNORECASE)
_ENTRY = re.compile(  # {"name": "DB_PASSWORD", "value": "…"}, in YAML, in XML, as Go prints it
    rf"(?P<name>\b(?:name|key)\\*[\"']?\s*[:=]\s*\\*[\"']?[\w.-]{{0,64}}(?:{_PASSWORDS}|{_OTHERS}){_REST}\\*[\"']?[\s,;]*"
    rf"\\*[\"']?value\\*[\"']?\s*[:=]\s*){_VALUE}",
    re.IGNORECASE,
)
_TUPLE = re.compile(
    rf"(?P<name>\(b?[\"'][\w.-]{{0,64}}(?:{_PASSWORDS}|{_OTHERS}){_REST}[\"'],\s*b?)(?:{_QUOTED})",
    re.IGNORECASE,
)
_ELEMENT = re.compile(  # <password>…</password>, <entry key="db.password">…</entry>
    rf"(?P<name><(?!/)[^<>\n]{{0,100}}(?:{_PASSWORDS}|{_OTHERS})[^<>\n]{{0,100}}>\s*(?:<!\[CDATA\[)?)[^<\n]+(?=</)",
    re.IGNORECASE,
)
_DOCKER = re.compile(r"(?P<name>\\*\"auth\\*\"\s*:\s*)\\*\"[^\"\n]*\"?", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?P<name>(?<![a-z])sig(?:nature)?(?:=|%3d))[^\s&\"']+", re.IGNORECASE)

_FLAG = re.compile(
    rf"(?P<name>(?<![\w.-])--?[\w.-]{{0,40}}(?:{_PASSWORDS}|{_OTHERS}){_REST}\s+){_VALUE}",
    re.IGNORECASE,
)
_USER = re.compile(  # curl -u name:password
    r"(?P<name>(?<![\w-])(?:-u|--(?:proxy-)?user)[\"',\s=]{0,8}[^\s:\"'-][^\s:\"']{0,64}:)[^\s\"']+",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"(?P<name>\b(?:login|mysql\w{0,9}|mariadb\w{0,9}|mongo\w{0,9}|sshpass|redis-cli)\b[^\n]{0,150}?"
    r"(?<=\s)-[pa]\s*)[^\s\"'-][^\s\"']*",
    re.IGNORECASE,
)
_SHORT_FLAG = re.compile(r"(?P<name>(?<![\w-])-p[ \t]+)(?![\d.:/-]+(?:\s|$)|/)[^\s\"'-][^\s\"']*")
"""`-p password`, unless it is a port or a path."""
_HEADER = re.compile(
    r"(?P<name>\b(?:(?:set-)?cookie|(?:proxy-)?authorization)[ \t]*[:=][ \t]*)[^\"'\s][^\n]*",
    re.IGNORECASE,
)
_SCHEME = re.compile(
    r"(?P<name>\b(?:bearer|basic)[ \t]+)(?![a-z]{1,15}(?:[,;.!?:]?\s|$))[^\s\"',;]{8,}",
    re.IGNORECASE,
)
_NAMED = (
    _HEADER, _ENTRY, _TUPLE, _ELEMENT, _DOCKER, _PHRASE, _PAIR, _SIGNATURE, _FLAG, _USER, _LOGIN, _SHORT_FLAG, _SCHEME,
)  # fmt: skip

_KNOWN = re.compile(
    r"\b(?:"
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ABIA|ACCA)[A-Z0-9]{12,}"  # AWS
    r"|eyJ[\w-]{4,}(?:\.[\w-]*){0,4}"  # a JWT, or the head of one
    r"|xox[a-z]-[\w-]+|xapp-[\w-]+"  # Slack
    r"|gh[a-z]_\w{16,}|github_pat_\w+|glpat-[\w-]+"  # GitHub, GitLab
    r"|[srp]k[_-](?:live|test|proj|ant)[\w-]+|sk-[\w-]{16,}"  # Stripe and others
    r"|AIza[\w-]{20,}|ya29\.[\w.-]+|GOCSPX-[\w-]+|SG\.[\w-]{16,}\.[\w-]{16,}"  # Google, SendGrid
    r"|whsec_[\w+/=]+|hv[sb]\.[\w-]+|npm_\w{20,}|pypi-[\w-]{16,}"
    r")"
)

_HEX = re.compile(r"(?<!sha256:)(?<![0-9a-zA-Z])[0-9a-fA-F]{32,}(?![0-9a-zA-Z])")
_RUN = re.compile(r"(?<!sha256:)(?<![\w+/-])[\w+/-]{24,}={0,2}", re.ASCII)
_ORDINARY = re.compile(
    # camelCase, lower case with digits (a pod's name has such parts), UPPER case: what programs call their things.
    r"[A-Z]{0,5}[a-z]{0,18}(?:[A-Z]{1,5}[a-z]{2,18}){0,6}\d{0,4}|[a-z0-9]{1,12}|[A-Z0-9]{1,12}"
)


def redact(text: str) -> str:
    """Return the text without what looks like a secret. Line breaks stay, colours go, long lines end early (`…`)."""
    for unseen in (_UNSEEN, _ANSI, _CONTROL):
        text = unseen.sub("", text)
    text = "\n".join(
        line if len(line) <= _SEARCHED else line[:_SEARCHED] + _CUT for line in text.split("\n")
    )
    text = _without_secrets(text)
    return "\n".join(_without_fragment(line) for line in text.split("\n"))


def _without_secrets(text: str) -> str:
    text = _PEM.sub(HIDDEN, text)
    if "-----END " in text:
        text = _PEM_REST.sub(HIDDEN, text)
    text = _USERINFO.sub(rf"\g<name>{HIDDEN}@", text)
    text = _DSN.sub(rf"\g<name>{HIDDEN}@", text)
    text = _ORACLE.sub(rf"\g<name>{HIDDEN}@", text)
    for rule in _NAMED:
        text = rule.sub(rf"\g<name>{HIDDEN}", text)
    for rule in (_KNOWN, _HEX):
        text = rule.sub(HIDDEN, text)
    return _RUN.sub(_unless_ordinary, text)


def _without_fragment(line: str) -> str:
    """Return a line that was cut without its last word, which may be half a secret: only its end would tell."""
    if not line.endswith(_CUT):
        return line
    head, end = line[:-_FRAGMENT], line[-_FRAGMENT:]
    return head + end[: max(end.rfind(" "), end.rfind("\t")) + 1] + "…"


def _unless_ordinary(found: re.Match[str]) -> str:
    """Hide a long run of letters and digits unless it reads like a path, a name or a constant."""
    parts = re.split(r"[/_+=-]", found[0])
    return found[0] if all(_ORDINARY.fullmatch(part) for part in parts) else HIDDEN
