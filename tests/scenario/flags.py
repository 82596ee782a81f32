"""The stage with a feature flag: beside a pair of Deployments in a mesh, or alone with numbers of its own."""

import re
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fakes.unleash import TOKEN, FakeUnleash, gradual
from tests.scenario.stage import WHERE, Stage

PODS, FLAG = "pods", "flag"

_UNLEASH = (
    '{{kind: unleash, url: "{url}", token_file: "{token}", environment: production, '
    "feature: new-search{more}}}"
)
_TARGETS = """\
      targets:
        - name: pods
          cluster: prod
          namespace: orion
{where}
        - name: flag
          workload: {{kind: flag}}
          traffic: {traffic}"""
_CHECKS = """[
        {metric: requests, below: 1, then: warn, query: 'requests{value="$workload"}'},
        {metric: errors, above: 5, query: 'errors{value="$workload"}'}]"""


class FlagNumbers:
    """A Prometheus that knows what the application says about each value of the flag."""

    def __init__(self) -> None:
        self.errors = {"off": 0.2, "on": 0.2}
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        app = web.Application()
        app.router.add_route("*", "/api/v1/query", self._query)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _query(self, request: web.Request) -> web.Response:
        form = await request.post()
        text = str(form.get("query") or request.query.get("query", ""))
        found = re.fullmatch(r'(requests|errors)\{value="(on|off)"\}', text)
        rows = []
        if found is not None:
            number = self.errors[found[2]] if found[1] == "errors" else 5000
            rows = [{"metric": {}, "value": [1.0, str(number)]}]
        data = {"resultType": "vector", "result": rows}
        return web.json_response({"status": "success", "data": data})


class FlagStage(Stage):
    """A bot, its world, and an Unleash beside it."""

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        self.alone = overrides.pop("alone", False)
        self.flag_on = overrides.pop("on", True)
        self.unleash = FakeUnleash()
        self.unleash.put("new-search", gradual(overrides.pop("rollout", "0")), on=self.flag_on)
        await self.unleash.start()
        self.numbers = FlagNumbers()
        self.numbers_url = await self.numbers.start()
        await super().raise_world(folder, overrides)

    def configure(self, folder: Path, values: dict[str, Any], prometheus: str, sink: str) -> None:
        token = folder / "unleash-token"
        token.write_text(TOKEN)
        if self.alone:
            values = {**values, "checks": _CHECKS}
            prometheus = self.numbers_url
        super().configure(folder, values, prometheus, sink)
        traffic = _UNLEASH.format(url=self.unleash.url, token=token, more="")
        one = f"      cluster: prod\n      namespace: orion\n{WHERE[self.shape]}"
        if self.alone:
            new = f"      workload: {{kind: flag}}\n      traffic: {traffic}"
        else:
            where = "\n".join(f"    {line}" for line in WHERE[self.shape].splitlines())
            new = _TARGETS.format(where=where, traffic=traffic)
        config = Path(self.environ["SLUICE_CONFIG"])
        text = config.read_text()
        assert one in text
        text = text.replace(one, new)
        config.write_text(text.replace("template: istio", "template: http") if self.alone else text)

    async def strike(self) -> None:
        await super().strike()
        await self.numbers.stop()
        await self.unleash.stop()

    @property
    def both(self) -> tuple[int, int]:
        """What percent of the requests, and of the users, get the new version."""
        return self.weights[1], self.unleash.share()

    async def walk(self, times: int = 60) -> None:
        """Say yes at every gate until the rollout has ended."""
        for _ in range(times):
            row = await self.row()
            if row.phase.final:
                return
            if row.gate is not None:
                await self.press("Promote")
            await self.wait(10)
