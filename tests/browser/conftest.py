"""The sandbox in its own process, and Chromium in front of it. Run by itself: `pytest -m browser tests/browser`."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
_RUN = "import sys; from bot.app import main; sys.exit(main())"


@pytest.fixture
def sandbox() -> Iterator[str]:
    """A running sandbox, a minute to the half second; yields the address of its page."""
    arguments = ["sandbox", "--listen", "127.0.0.1:0", "--no-open", "--speed", "120"]
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"http://[0-9.:]+/", line)
        assert found, line
        yield found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        process.stdout.close()


@pytest.fixture
def page(sandbox: str):
    """The page as a person sees it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("there is no /usr/bin/chromium (Debian: apt install chromium)")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-component-update", "--disable-dev-shm-usage"]  # fmt: skip
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        opened = browser.new_page(viewport={"width": 1360, "height": 900})
        opened.goto(sandbox)
        yield opened
        browser.close()
