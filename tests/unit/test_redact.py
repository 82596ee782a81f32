"""No secret that was planted in a log gets through, in whatever way programs write them; ordinary lines do."""

import base64
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.kube.redact import HIDDEN, redact

SEEDS = st.integers(0, 2**64).map(random.Random)
NAMES = st.sampled_from(
    [
        "password", "PASSWORD", "db_passwd", "DB-PASSWORD", "spring.datasource.password", "pwd", "client_secret",
        "AWS_SECRET_ACCESS_KEY", "api_key", "X-Api-Key", "apikey", "accessToken", "refresh_token", "privateKey",
        "signing_key", "sessionId", "passphrase", "credentials", "slackToken",
    ]
)  # fmt: skip
PAIRS = [
    "{name}={secret}", "{name}: {secret}", '"{name}":"{secret}"', '"{name}": "{secret}"', "{name} = '{secret}'",
    "{name}={secret}&page=2", "{name}={secret}, port=5432", r"{{\"{name}\":\"{secret}\"}}", "--{name} {secret}",
    "--{name}={secret}", "{name} => {secret}", "\x1b[36m{name}\x1b[0m=\x1b[35m{secret}\x1b[0m", '"{name}":"{secret}',
    "{{user=dana, {name}={secret}}}",
]  # fmt: skip
LINE = st.sampled_from(
    ["{}", "2026-11-21T19:01:14Z ERROR cannot start: {}", '{{"level":"error","msg":"x {} y"}}']
)


def base64_of(rng: random.Random) -> str:
    return base64.b64encode(rng.randbytes(rng.randint(24, 90))).decode()


def jwt(rng: random.Random) -> str:
    parts = [
        b'{"alg":"HS256"}',
        b'{"sub":"' + rng.randbytes(12).hex().encode() + b'"}',
        rng.randbytes(32),
    ]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def word(rng: random.Random) -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%*+-._~^"
    return "s3" + "".join(rng.choice(alphabet) for _ in range(rng.randint(6, 40)))


def upper(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(count))


BARE = {
    "a JWT": jwt,
    "an AWS key id": lambda rng: f"AKIA{upper(rng, 16)}",
    "a temporary AWS key id": lambda rng: f"ASIA{upper(rng, 16)}",
    "an AWS secret": lambda rng: base64.b64encode(rng.randbytes(30)).decode(),
    "base64": base64_of,
    "url-safe base64": lambda rng: base64.urlsafe_b64encode(rng.randbytes(33)).decode(),
    "hex": lambda rng: rng.randbytes(rng.randint(16, 64)).hex(),
    "upper-case hex": lambda rng: rng.randbytes(20).hex().upper(),
    "a Slack token": lambda rng: f"xoxb-{rng.randint(10**11, 10**12)}-{word(rng)[2:8]}a",
    "a GitHub token": lambda rng: f"ghp_{upper(rng, 36)}",
}  # fmt: skip


@given(rng=SEEDS, name=NAMES, form=st.sampled_from(PAIRS), line=LINE)
def test_a_value_behind_a_telling_name_is_hidden(rng, name, form, line):
    secret = word(rng)

    shown = redact(line.format(form.format(name=name, secret=secret)))

    assert secret not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize("kind", BARE)
@given(rng=SEEDS, line=LINE)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(kind, rng, line):
    secret = BARE[kind](rng)

    assert secret.rstrip("=") not in redact(line.format(secret))


@given(
    rng=SEEDS,
    form=st.sampled_from(
        [
            "Authorization: Bearer {}", "authorization=Bearer {}", "got bearer {} from the gateway",
            '"Authorization":"Bearer {}"', "Authorization: Basic {}", "Proxy-Authorization: Digest {}",
            "Cookie: sid={}; theme=dark", "Set-Cookie: sid={}; Path=/", '-H "Authorization: token {}"',
        ]
    ),
    line=LINE,
)  # fmt: skip
def test_what_lets_somebody_in_is_hidden(rng, form, line):
    secret = word(rng)

    assert secret not in redact(line.format(form.format(secret)))


@given(
    rng=SEEDS,
    form=st.sampled_from(
        ["postgres://auth:{}@db:5432/auth", "amqp://{}@mq", "https://dana:{}@git.example/x.git?y=1"]
    ),
    line=LINE,
)
def test_credentials_in_an_address_are_hidden_and_its_host_stays(rng, form, line):
    secret = word(rng).replace("#", "") + "/x"

    shown = redact(line.format(form.format(secret if "auth:" in form else secret[:-2])))

    assert secret[:-2] not in shown
    assert any(host in shown for host in ("@db:5432/auth", "@mq", "@git.example/x.git?y=1"))


@given(rng=SEEDS, cut=st.sampled_from(["whole", "without its beginning", "without its end"]))
def test_a_pem_block_is_hidden_even_if_only_a_part_of_it_is_there(rng, cut):
    lines = [base64_of(rng)[:64] for _ in range(6)]
    tail = rng.randbytes(9).hex()
    block = ["-----BEGIN RSA PRIVATE KEY-----", *lines, tail, "-----END RSA PRIVATE KEY-----"]
    kept = {"whole": block, "without its beginning": block[3:], "without its end": block[:-1]}[cut]

    shown = redact("\n".join(["loading the key", *kept]))

    assert shown.startswith("loading the key")
    assert not any(line in shown for line in [*lines, tail])


ORDINARY = [
    "2026-11-21 19:01:14,482 INFO [main] com.orion.auth.AuthServiceApplication - Started in 3.2 s",
    "panic: runtime error: invalid memory address or nil pointer dereference",
    "goroutine 1 [running]: main.main() /go/src/github.com/orion/auth/cmd/server/main.go:42 +0x1d4",
    '  File "/usr/local/lib/python3.11/site-packages/uvicorn/protocols/http/h11_impl.py", line 403',
    "dial tcp 10.96.0.1:5432: connect: connection refused",
    "GET /api/v1/users/1234567?page=2 HTTP/1.1 503 12ms",
    "Readiness probe failed for auth-service-canary-7d4b9c6f5d-x2x9k: 500",
    "request 3fa85f64-5717-4562-b3fc-2c963f66afa6 took 31 ms",
    "pulled ghcr.io/orion/auth@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "Error: Cannot find module '/app/node_modules/@orion/configuration-loader/dist/index.js'",
    "the bearer of this request is unknown",
    "listening on http://0.0.0.0:8080/healthz and https://auth.orion.svc.cluster.local:8443",
    "MAX_CONNECTIONS_PER_UPSTREAM_HOST is 100",
    "java.lang.IllegalStateException: DataSourceTransactionManagerAutoConfiguration",
    'FATAL: password authentication failed for user "auth"',
    "compass=north, 12 passed, bypass: on",
    "docker run -p 8080:80 auth, then mkdir -p /var/lib/auth",
    "npm fetch http://registry:4873/@orion/auth and https://registry/@orion/auth",
    "Map<String, AccessToken> is empty; signature mismatch",
    "author: dana, authentication: none, sigterm=15",
]


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_stays_as_it_is(line):
    assert redact(line) == line


SECRET = "hunter2xyz"
FORMS = {
    "a short name": "env DB_PASS=hunter2xyz",
    "a short name in camelCase": "dbPass: hunter2xyz",
    "a short name with a dot": "db.user=app db.pass=hunter2xyz",
    "a block in a block": '{"auth":{"user":"app","pass":"hunter2xyz"}}',
    "credentials": "creds=admin:hunter2xyz",
    "LDAP": "bindpw=hunter2xyz",
    "a DSN of Go": "dial failed: app:hunter2xyz@tcp(db:3306)/orders",
    "a DSN with an at": "dial failed: app:p@hunter2xyz@unix(/run/db.sock)/orders",
    "Oracle": "jdbc:oracle:thin:scott/hunter2xyz@//db:1521/x",
    "an address with at and slash": "postgres://user:p@ss/hunter2xyz@db/x",
    "an address that begins like a port": "amqp://user:123/hunter2xyz@mq",
    "an environment in JSON": '{"name":"DB_PASSWORD","value":"hunter2xyz"}',
    "an environment in escaped JSON": r"{\"name\":\"DB_PASSWORD\",\"value\":\"hunter2xyz\"}",
    "an environment in YAML": "- name: DB_PASSWORD\n  value: hunter2xyz",
    "an environment as Go prints it": "{Name:DB_PASSWORD Value:hunter2xyz ValueFrom:nil}",
    "headers as Python prints them": "[(b'x-api-key', b'hunter2xyz')]",
    "docker": '{"auths":{"ghcr.io":{"auth":"aHVudGVyMnh5eg=="}}}',
    "Go": 'password := "hunter2xyz"',
    "a comparison": "password == hunter2xyz",
    "an inequality": "password != hunter2xyz",
    "an arrow": "password -> hunter2xyz",
    "a wide colon": "password\uff1ahunter2xyz",
    "a list": 'password=["a", "hunter2xyz"]',
    "an object": '"password": {"value": "hunter2xyz"}',
    "an object in an object": '"password": {"from": {"a": 1}, "value": "hunter2xyz"}',
    "an object over lines": '"password": {\n  "value": "hunter2xyz"\n}',
    "XML": "<password>hunter2xyz</password>",
    "XML with an attribute": '<entry key="db.password">hunter2xyz</entry>',
    "XML in attributes": '<property name="db.password" value="hunter2xyz"/>',
    "a passphrase": "password=correct hunter2xyz staple",
    "a passphrase in JSON": '{"msg":"password: correct horse hunter2xyz"}',
    "curl": "curl -u admin:hunter2xyz https://x",
    "curl's arguments": '["curl","-u","admin:hunter2xyz"]',
    "curl in words": "curl --user=admin:hunter2xyz https://x",
    "docker login": "docker login -u a -p hunter2xyz",
    "a short flag": "tool -p hunter2xyz",
    "mysql": "mysql -u root -phunter2xyz",
    "a signature of Azure": "https://a.blob.core.windows.net/c?sv=2020&sig=hunter2xyz%3D&se=1",
    "headers as Go prints them": "map[X-Api-Key:[abc hunter2xyz] Accept:[*/*]]",
    "encoded": "password%3Dhunter2xyz",
    "without width": "pass\u200bword=hunter2xyz",
    "a soft hyphen": "pass\u00adword=hunter2xyz",
    "a NUL": "pass\x00word=hunter2xyz",
    "colours of eight bits": "pass\x9b1mword=hunter2xyz",
    "a title of a terminal": "\x1b]0;x\x07password=hunter2xyz",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_the_ways_that_programs_write_it(form):
    shown = redact(FORMS[form])

    assert SECRET not in shown
    assert "aHVudGVyMnh5eg" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("host=db password=a b dbname=x", "host=db password=[redacted] dbname=x"),
        ("password=a, then again", "password=[redacted] then again"),
        ('{"pass":"a b","port":5432}', '{"pass":[redacted],"port":5432}'),
        ("tcp app:a@tcp(db:3306)/orders", "tcp app:[redacted]@tcp(db:3306)/orders"),
        ("<password>a</password>", "<password>[redacted]</password>"),
        ("x?sig=a%3D&se=1", "x?sig=[redacted]&se=1"),
        ("curl -u dana:a https://x", "curl -u dana:[redacted] https://x"),
    ],
)
def test_what_stands_around_a_secret_stays(line, shown):
    assert redact(line) == shown


@pytest.mark.parametrize(
    "secret", ["postgres://auth:s3cret@db/auth", "AKIAIOSFODNN7EXAMPLE", "https://dana:s3@x"]
)
@pytest.mark.parametrize("shrinking", [0, 900])
def test_half_a_secret_at_the_end_of_a_line_that_is_cut_is_not_shown(secret, shrinking):
    for kept in range(8, len(secret)):
        before = f'token="{"x" * shrinking}" ' if shrinking else ""
        shown = redact(f"{before}{'ab ' * 400}"[: 1000 - kept - 1] + " " + secret)

        assert shown.endswith("…")
        assert secret[:8] not in shown


@given(st.text(max_size=400), SEEDS)
def test_what_is_redacted_stays_redacted(text, rng):
    once = redact(f"{text} password={word(rng)}")

    assert redact(once) == once


PIECES = [
    "a", "a.", "token", '"', "://", "-----BEGIN x", "Aa0/", "eyJa.", "\\", "-", "secret_key_", "a.-", "http://a:",
    "password=a a ", "password={{", "password=[", "<pass", "name=pass", "login -", "-u a:", "a:b@", "A", "x-auth",
    "password   ", "a\n", "-----END ", "password={a",
]  # fmt: skip


def test_the_lines_of_a_hostile_container_take_no_time():
    for piece in PIECES:
        line = (piece * 4000)[:4000]
        began = time.process_time()

        redact("\n".join([line] * 20))

        assert time.process_time() - began < 0.5, piece


def test_a_line_is_kept_as_far_as_it_was_searched():
    assert len(redact("ab " * 40_000)) <= 1000
    assert redact("short\n" + "ab " * 400 + "\nlast").splitlines()[::2] == ["short", "last"]
