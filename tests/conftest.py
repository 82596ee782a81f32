"""What holds for all tests."""

import gc
import os

import pytest

# Every client of a cluster reads the whole list of trusted authorities when it is made, some 30 ms each, and nothing
# here speaks TLS: an empty list it is.
os.environ.update(SSL_CERT_FILE=os.devnull, SSL_CERT_DIR=os.devnull)  # noqa: TID251 - OpenSSL's own settings


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the collector of garbage overlook what lives as long as the run: thousands of tests and all modules."""
    gc.collect()
    gc.freeze()
