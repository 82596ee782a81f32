"""A shell that types `sluice …` in this process: its own environment, streams that can be read afterwards, and doors
that note what they were asked for."""

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.cli import Doors, Finding, Health, run
from bot.cli.terminal import Terminal
from bot.replaying import Report, Wanted

CONFIG = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {here: {}}
metrics: {main: {kind: prometheus, url: "http://prometheus:9090"}}
environments:
  production: {approvers: [S0SRE], approvals: 1}
services:
  checkout:
    production:
      cluster: here
      namespace: shop
      workload: {kind: deployment, stable: checkout, canary: checkout-canary, container: app, image: shop/checkout}
      traffic: {kind: istio, virtual_service: checkout}
      metrics: {source: main}
      canary: {steps: [5, 50, 100], soak: 5m}
      checks: [{metric: error_rate, above: 5, then: rollback}]
"""


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value of standard output; anything before or behind it fails."""
        return json.loads(self.out)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Shell:
    def __init__(self, folder: Path) -> None:
        self.config = folder / "sluice.yaml"
        self.config.write_text(CONFIG)
        self.environ = {"SLUICE_CONFIG": str(self.config), "SLUICE_URL": "http://127.0.0.1:9"}
        self.stdin = b""
        self.out: type[io.StringIO] = io.StringIO
        self.opened: list[tuple[Any, ...]] = []
        self.findings: list[Finding] = []
        self.health: list[Health] = []
        self.replays: Callable[[str, Wanted], Report] = lambda *_: Report(())
        self.calibration: Any = None
        self.exit_code = 0
        self.fails: BaseException | None = None

    def sluice(self, *argv: str) -> Said:
        out, err = self.out(), io.StringIO()
        terminal = Terminal(out, err, io.BytesIO(self.stdin))
        # What a door prints lands where the process would print it.
        with contextlib.redirect_stdout(out):
            code = run(argv, self._doors(), environ=self.environ, terminal=terminal)
        return Said(code, out.getvalue(), err.getvalue())

    def _doors(self) -> Doors:
        return Doors(
            serve=lambda settings: self._open("serve", settings.listen) or self.exit_code,
            sandbox=lambda options: self._open("sandbox", options) or self.exit_code,
            migrate=lambda url: self._open("migrate", url),
            doctor=lambda path: self._open("doctor", path) or self.health,
            preflight=lambda _, plan: self._open("preflight", plan.version) or self.findings,
            create_token=lambda *asked: self._open("create", *asked) or "sluice_secret",
            calibrate=lambda _, wanted: self._open("calibrate", wanted) or self.calibration,
            replay=lambda url, wanted: (
                self._open("replay", url, wanted) or self.replays(url, wanted)
            ),
            revoke_token=lambda url, name: self._open("revoke", url, name) or name == "ci",
        )

    def _open(self, *asked: Any) -> None:
        print("a door speaks")
        self.opened.append(asked)
        if self.fails is not None:
            raise self.fails
