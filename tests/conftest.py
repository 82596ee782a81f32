"""What holds for all tests."""

import gc
import os

import pytest

# Every client of a cluster reads the whole list of trusted authorities when it is made, some 30 ms each, and nothing
# here speaks TLS: an empty list it is.
os.environ.update(SSL_CERT_FILE=os.devnull, SSL_CERT_DIR=os.devnull)  # noqa: TID251 - OpenSSL's own settings


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the sweep take all that it has: an hour instead of some minutes."""
    parser.addoption("--every-mishap", action="store_true", help="crash the bot at every point")


@pytest.fixture
def every_mishap(request: pytest.FixtureRequest) -> bool:
    """Whether the sweep is to leave nothing out."""
    return bool(request.config.getoption("--every-mishap"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the collector of garbage overlook what lives as long as the run: thousands of tests and all modules."""
    gc.collect()
    gc.freeze()
