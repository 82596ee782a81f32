"""How a process that cannot start says so: one sentence, one code, exit 1, and nothing left open."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bot.settings import SettingsError, read_settings
from bot.store import OpenError, Store
from bot.store.engine import held_alone
from tests.fakes.shell import CONFIG
from tests.scenario.stage import Stage

ROOT = Path(__file__).parents[2]
SERVE = "import sys; from bot.app import main; sys.exit(main())"
PATIENCE = 50.0  # a busy machine needs many seconds only to import all of it


@pytest.fixture
def environ(tmp_path):
    (tmp_path / "sluice.yaml").write_text(CONFIG)
    (tmp_path / "kubeconfig").write_text("")
    return {
        "SLACK_BOT_TOKEN": "xoxb-test-token",
        "SLACK_SIGNING_SECRET": "a-signing-secret-for-tests",
        "SLACK_API_URL": "http://127.0.0.1:9/api/",
        "SLUICE_CONFIG": str(tmp_path / "sluice.yaml"),
        "SLUICE_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/sluice.db",
        "SLUICE_LISTEN": "127.0.0.1:0",
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],  # noqa: TID251 - a child needs one
    }


async def launched(environ, *words):
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, *words, env=environ, cwd=ROOT, stdout=pipe, stderr=pipe
    )


async def refused(environ, *words):
    """Start it, and return its exit code and what it said, both streams."""
    process = await launched(environ, *words)
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return process.returncode, (out + err).decode()


@asynccontextmanager
async def running(environ):
    """Run a bot in a process of its own until it says that it listens; yields it and what it said till then."""
    process = await launched(environ, "serve")
    said = ""
    try:
        while "listening on" not in said:
            line = await process.stderr.readline()
            assert line, said
            said += line.decode()
        yield process, said
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.mark.parametrize(
    ("words", "setting"),
    [(["serve"], "SLUICE_LISTEN"), (["sandbox", "--no-open", "--listen"], "--listen")],
)
async def test_a_port_in_use_is_said_and_nothing_is_left_open(environ, words, setting):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        environ["SLUICE_LISTEN"] = listen
        argv = [*words, listen] if setting == "--listen" else words
        code, said = await refused(environ, *argv)

    assert code == 1
    (line,) = said.splitlines()
    assert "Address already in use" in line
    assert setting in line
    assert line.endswith("[cannot_listen]")


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("sqlite+aiosqlite:///{}/none/x.db", "cannot_open_database", "SLUICE_DATABASE_URL"),
        ("sqlite+aiosqlite:///{}/sluice.yaml", "cannot_open_database", "file is not a database"),
        ("sqlite+aiosqlite:///{}", "cannot_open_database", "unable to open database file"),
        ("postgresql://u:hunter2@h/d", "database_not_available", "PostgreSQL is not available"),
        ("sqlite:///{}/x.db", "database_not_available", "use sqlite+aiosqlite"),
        ("mysql+aiomysql://u:hunter2@h/d", "database_not_available", "`mysql+aiomysql`"),
    ],
)
@pytest.mark.parametrize("word", ["serve", pytest.param("migrate", marks=pytest.mark.sweep)])
async def test_a_database_that_cannot_be_used_is_said_without_its_address(
    environ, tmp_path, word, url, code, words
):
    exit_code, said = await refused(environ | {"SLUICE_DATABASE_URL": url.format(tmp_path)}, word)

    assert exit_code == 1
    (line,) = said.splitlines()
    assert words in line
    assert line.endswith(f"[{code}]")
    assert "hunter2" not in said
    assert str(tmp_path) not in line


async def test_a_second_process_on_the_same_file_is_refused_until_the_first_is_killed(environ):
    async with running(environ) as (first, _):
        code, said = await refused(environ, "serve")
        assert code == 1
        (line,) = said.splitlines()
        assert line.endswith("[database_in_use]")

        first.send_signal(signal.SIGKILL)
        await first.wait()
        async with running(environ):
            pass


async def test_a_start_warns_of_nothing_that_is_in_order(environ):
    async with running(environ) as (_, said):
        assert "token" not in said


def test_one_file_is_one_lock_however_it_is_spelled(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "x.db")
    with held_alone(f"sqlite+aiosqlite:///{tmp_path}/x.db"):
        for other in (f"{tmp_path}/link.db", f"file:{tmp_path}/x.db?uri=true"):
            with pytest.raises(OpenError, match="Another Sluice") as caught:
                held_alone(f"sqlite+aiosqlite:///{other}").__enter__()
            assert caught.value.code == "database_in_use"


def test_the_lock_is_free_after_the_block(tmp_path):
    for _ in range(2):
        with held_alone(f"sqlite+aiosqlite:///{tmp_path}/x.db"):
            assert (tmp_path / "x.db.lock").exists()


def test_databases_in_memory_need_no_lock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("", "/:memory:", "/file:one?mode=memory&uri=true"):
        url = f"sqlite+aiosqlite://{name}"
        with held_alone(url), held_alone(url):
            assert list(tmp_path.iterdir()) == []


async def test_a_schema_of_another_version_is_no_bug_of_ours(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/x.db"
    store = await Store.open(url)
    async with store._writer.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'")
    await store.close()

    with pytest.raises(OpenError, match="another version of Sluice"):
        await Store.open(url)


async def test_links_in_alerts_begin_where_others_reach_the_bot(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        stage.environ["SLUICE_PUBLIC_URL"] = "https://sluice.example/bot/"
        await stage.restart()
        await stage.deploy()
        stage.traffic.set_errors("v2.0.0", 30)
        await stage.wait(120)
        (alert,) = await stage.alerts("rollout.rolled_back")

    there = f"https://sluice.example/bot/api/v1/deployments/{alert['id']}/journal"
    assert alert["journal_url"] == there


def test_a_public_address_that_is_none_stops_the_start(environ):
    with pytest.raises(SettingsError, match="SLUICE_PUBLIC_URL is no web address"):
        read_settings(environ | {"SLUICE_PUBLIC_URL": "sluice.example"})
