"""What real pods answered, as the numbers that `SimulatedPrometheus` serves: nothing is simulated about them.

Windows are seconds of a clock that may run faster than the wall's.
"""

import time
from collections.abc import Sequence

from integrations.base import Lane
from integrations.metrics.templates import Lanes
from tests.fakes.pods import Answer


class Measured:
    """The requests of one service, by lane."""

    def __init__(self, answers: Sequence[Answer], lanes: Lanes, speed: float) -> None:
        self.lanes = lanes
        self._answers = answers
        self._speed = speed

    def numbers(self, window: int) -> dict[str, dict[Lane, float]]:
        """Return the metrics of the last `window` seconds; a lane that never answered has none."""
        found: dict[str, dict[Lane, float]] = {}
        for lane in Lane:
            name = self.lanes.workload(lane)
            answers = [answer for answer in self._answers if name and answer.workload == name]
            if answers:
                for metric, value in self._of(answers, window).items():
                    found.setdefault(metric, {})[lane] = value
        return found

    def _of(self, answers: Sequence[Answer], window: int) -> dict[str, float]:
        cut = time.monotonic() - window / self._speed
        times = sorted(1000 * answer.seconds for answer in answers if answer.at > cut)
        requests = len(times)
        average = sum(times) / requests if requests else float("nan")
        return {
            "freshness": 1.0,
            "callers_freshness": 1.0,
            "connection_failures": 0.0,
            "circuit_breaker_trips": 0.0,
            "requests": float(requests),
            "rps": requests / window,
            "error_rate": 0.0 if requests else float("nan"),
            "success_rate": 100.0 if requests else float("nan"),
            "latency_avg": average,
            **{f"latency_p{p}": _quantile(times, p / 100) for p in (50, 95, 99)},
        }


def _quantile(times: Sequence[float], q: float) -> float:
    return times[min(len(times) - 1, int(q * len(times)))] if times else float("nan")
