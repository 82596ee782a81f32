"""A cookie is found among the others of a request, by its whole name and its whole value, and said as it was asked."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from integrations.base import HeaderRule
from integrations.splitting.headers import refuse_unwritable
from strategies.cookies import Cookie, cookie_in, cookie_pair, cookie_rule
from strategies.plan import Rule

NAMES = some.text(alphabet="abA0!#$%&'*+.^_`|~-", min_size=1, max_size=3)
VALUES = some.text(alphabet='abA0=.*+?^$|()[]{}\\/,":-', min_size=1, max_size=4)
PAIRS = some.lists(some.tuples(NAMES, VALUES | some.just("")), max_size=4)
BLANKS = some.sampled_from(["", " ", "\t", "  "])

EXPRESSIONS = [
    "a.*",
    "^[ab]+$",
    "(?i)a|b.",
    r"\S+=?",
    r"\D\W?",
    "[^a]",
    "[^]a-]+",
    "[^-]{2,}",
    "a|.b|",
    "[[:alpha:]]+",
    "(?:a|b)*0?",
    "[]a]",
]


@some.composite
def headers(draw, behind=BLANKS):
    """Return cookies and the header that carries them, as clients write it and as they should not."""
    pairs = draw(PAIRS)
    parts = [f"{draw(BLANKS)}{name}={value}{draw(behind)}" for name, value in pairs]
    return pairs, draw(some.sampled_from([";", "; "])).join(parts).strip()


def finds(rule: Rule, header: str) -> bool:
    """Say what RE2 says: Python knows no classes by name."""
    assert rule.header == "cookie"
    return re.fullmatch(str(rule.regex).replace("[:alpha:]", "a-zA-Z"), header) is not None


@given(headers(), NAMES, VALUES)
def test_a_cookie_is_found_wherever_it_stands_and_no_other_is(found, name, value):
    pairs, header = found
    wanted = [*pairs[:1], (name, value)]
    for one, content in wanted:
        if content:
            rule = cookie_rule(Cookie(one, equals=content))
            assert finds(rule, header) == ((one, content) in pairs)
        rule = cookie_rule(Cookie(one, present=True))
        assert finds(rule, header) == (one in dict(pairs))


@given(headers(some.just("")), NAMES, some.sampled_from(EXPRESSIONS))
def test_an_expression_never_reaches_into_another_cookie(found, name, regex):
    pairs, header = found
    python = regex.replace("[:alpha:]", "a-zA-Z")
    for one in [*dict(pairs), name]:
        values = [value for other, value in pairs if other == one]
        expected = any(re.fullmatch(python, value) for value in values)
        assert finds(cookie_rule(Cookie(one, regex=regex)), header) == expected


@pytest.mark.parametrize(
    ("regex", "value"),
    [
        (".*b", "a"),
        ("[^A]*b", "a"),
        (r"\S*b", "a"),
        (r"\D*b", "a"),
        (r"\W+x\Wb", "!"),
        ("(?i).*B", "a"),
    ],
)
def test_nor_does_one_that_matches_what_stands_there(regex, value):
    header = f"beta={value};x=b"

    assert re.fullmatch(regex, header.removeprefix("beta="))
    assert not finds(cookie_rule(Cookie("beta", regex=regex)), header)


@given(NAMES, VALUES)
def test_what_was_asked_for_is_read_back_from_the_rule(name, value):
    for cookie in (Cookie(name, equals=value), Cookie(name, present=True)):
        rule = cookie_rule(cookie)
        assert cookie_in(rule) == cookie
        refuse_unwritable(HeaderRule("cookie", regex=rule.regex))
    assert cookie_pair(f"{name}={value}") == Cookie(name, equals=value)


@pytest.mark.parametrize("regex", EXPRESSIONS)
def test_an_expression_is_read_back_as_it_is_in_force(regex):
    rule = cookie_rule(Cookie("beta", regex=regex))
    found = cookie_in(rule)

    assert found is not None
    assert cookie_rule(found) == rule
    refuse_unwritable(HeaderRule("cookie", regex=rule.regex))


@pytest.mark.parametrize(
    "regex", ["a;b", "[!-~]", "[[:punct:]]", "[[:^alpha:]]", r"[\S]", r"\x3b", r"\;", "a^b", r"\Aa"]
)
def test_an_expression_that_could_reach_further_is_refused(regex):
    with pytest.raises(ValueError, match=r"next cookie|whole value"):
        cookie_rule(Cookie("beta", regex=regex))


@pytest.mark.parametrize(
    "pair", ["", "beta", "=1", "beta=", "b c=1", "beta=a;b", "beta=a b", "beta=é"]
)
def test_what_is_no_cookie_is_refused(pair):
    with pytest.raises(ValueError, match="is no cookie"):
        cookie_pair(pair)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("cookie", equals="beta=1"),
        Rule("cookie", regex=".*beta=1.*"),
        Rule("x-beta", regex=str(cookie_rule(Cookie("beta", equals="1")).regex)),
        Rule(
            "cookie", regex=str(cookie_rule(Cookie("beta", equals="1")).regex).replace("=1", "=.")
        ),
    ],
)
def test_a_rule_of_another_kind_is_no_cookie(rule):
    assert cookie_in(rule) is None
