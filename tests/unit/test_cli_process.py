"""The console script as a process: what it loads, and how it ends when nobody reads or somebody stops it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.shell import CONFIG

ROOT = Path(__file__).parents[2]
HEAVY = ("aiohttp", "kubernetes", "slack_bolt", "slack_sdk", "sqlalchemy", "alembic", "apscheduler")
WHAT_WAS_LOADED = f"""
import sys
from bot.app import main
code = main()
print(code, *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""
SCRIPT = "import sys; from bot.app import main; sys.exit(main())"
# A bot that never stops by itself, behind the real `run`.
WAITING = """
import signal, sys, time
from bot.cli import Doors, run
# A shell that runs the tests in the background has its children ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
def sandbox(_):
    print("ready", flush=True)
    time.sleep(50)
no = lambda *_: None
sys.exit(run(["sandbox"], Doors(no, sandbox, *[no] * 7)))
"""


@pytest.fixture
def process(tmp_path):
    path = tmp_path / "sluice.yaml"
    path.write_text(CONFIG)
    environ = {"SLUICE_CONFIG": str(path), "PYTHONPATH": str(ROOT)}

    def start(code, *argv, **more):
        command = [sys.executable, "-c", code, *argv]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen(command, env=environ, cwd=tmp_path, **pipes)

    return start


@pytest.mark.parametrize("argv", [["plan", "checkout", "v2"], ["config", "check"], ["status"]])
def test_it_starts_without_what_only_the_bot_needs(process, argv):
    _, err = process(WHAT_WAS_LOADED, *argv).communicate()

    loaded = err.decode().splitlines()[-1].split()[1:]
    assert loaded == []


def test_a_reader_who_went_away_is_no_error(process):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as out:
        one = process(SCRIPT, "help", stdout=out)
        _, err = one.communicate()

    assert (one.returncode, err) == (130, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_exit_1_without_a_traceback(process):
    with Path("/dev/full").open("wb") as out:
        one = process(SCRIPT, "help", stdout=out)
        _, err = one.communicate()

    assert (one.returncode, err) == (1, b"")


def test_an_interrupt_ends_quietly(process):
    one = process(WAITING)
    assert one.stdout.readline() == b"ready\n"
    one.send_signal(signal.SIGINT)
    _, err = one.communicate()

    assert (one.returncode, err) == (130, b"")


def test_a_terminal_that_knows_only_ascii_gets_ascii_pictures(process, tmp_path):
    ascii_only = 'import os, sys; sys.stdout.reconfigure(encoding="ascii");' + SCRIPT
    one = process(ascii_only, "plan", "checkout", "v2")
    out, err = one.communicate()

    assert (one.returncode, err) == (0, b"")
    assert b"checkout v2 -> production" in out
    assert b"##### 50 %" in out.replace(b".", b"")
