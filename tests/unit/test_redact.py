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
]


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_stays_as_it_is(line):
    assert redact(line) == line


@given(st.text(max_size=400), SEEDS)
def test_what_is_redacted_stays_redacted(text, rng):
    once = redact(f"{text} password={word(rng)}")

    assert redact(once) == once


@pytest.mark.parametrize(
    "piece", ["a", "a.", "token", '"', "://", "-----BEGIN x", "Aa0/", "eyJa.", "\\"]
)
def test_no_line_takes_long(piece):
    began = time.monotonic()

    redact(piece * (4096 // len(piece)))

    assert time.monotonic() - began < 1
