"""A real Prometheus on a free loopback port, in a folder of its own, as an unprivileged user, scraping every second."""

import asyncio
import os
import shutil
import socket
import tempfile
from pathlib import Path

import aiohttp

BINARY = Path("/usr/bin/prometheus")
PROMTOOL = Path("/usr/bin/promtool")
ABSENT = "there is no /usr/bin/prometheus (Debian: apt install prometheus)"

_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: exporter
    honor_labels: true
    metrics_path: {path}
    static_configs: [{{targets: ["{target}"]}}]
"""


class PrometheusServer:
    """`start` returns when it answers; `stop` ends the process and removes its folder."""

    def __init__(self) -> None:
        self.url = ""
        self._folder = Path()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, exporter_url: str, path: str = "/metrics", history: str = "") -> str:
        """Scrape an exporter; `history` (OpenMetrics with times) is what it has recorded before."""
        self._folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
        if history:
            await self._remember(history)
        target = exporter_url.removeprefix("http://")
        (self._folder / "prometheus.yml").write_text(_CONFIG.format(target=target, path=path))
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._unprivileged(),
                BINARY,
                f"--config.file={self._folder}/prometheus.yml",
                f"--storage.tsdb.path={self._folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                stdout=log,
                stderr=log,
            )
        await self._until_ready()
        return self.url

    async def stop(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _remember(self, history: str) -> None:
        text, data = self._folder / "history", self._folder / "data"
        text.write_text(history)
        command = (PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", text, data)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0
        if os.geteuid() == 0:
            for path in (data, *data.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")

    def _unprivileged(self) -> tuple[str, ...]:
        if os.geteuid() != 0:
            return ()
        shutil.chown(self._folder, "nobody", "nogroup")
        return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")

    async def _until_ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(200):
                if self._process.returncode is not None:
                    raise RuntimeError((self._folder / "log").read_text())
                try:
                    async with session.get(f"{self.url}/-/ready") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        raise RuntimeError((self._folder / "log").read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
