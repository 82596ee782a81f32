"""The rows of the tables: which worlds are simulated, named as the reference names them."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.verdicts import weather
from tests.bench.verdicts.counts import GO, STAGES, Scene, Stage
from tests.bench.verdicts.extending import LONG
from tests.bench.verdicts.weather import Disturbance


@dataclass(frozen=True, slots=True)
class Row:
    """One world, with the name that its figures have in the reference."""

    label: str
    scene: Scene
    found: bool = False
    """Whether the canary is worse than tolerated: a rollback is right."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that are judged and printed alike."""

    name: str
    title: str
    rows: tuple[Row, ...]
    judges: tuple[str, ...]
    rollouts: int
    """Of each row, unless somebody asks for another number."""
    short: bool = False
    """Only the share of rollbacks is printed."""
    unit: str = "e"
    """What a price is: failed requests (e), or answered ones (r)."""


_RATES = (1, 10, 100, 1000)
_POINTS = {"+0.5 pt": 0.005, "+2 pt": 0.02, "+10 pt": 0.1}
_BASES = {"0.1 %": 0.001, "1 %": 0.01}


def _calm() -> Iterator[Row]:
    for name, base in _BASES.items():
        for rps in _RATES:
            yield Row(f"{rps} rps, {name}", Scene(rps, base))
    for rps in (10, 100):
        yield Row(f"{rps} rps, 4.5 %", Scene(rps, 0.045))
    for name, base in _BASES.items():
        for rps in (10, 100, 1000):
            scene = Scene(rps, base, worse=0.05 * base + 0.0005, slower=1.15)
            yield Row(f"{rps} rps, {name}, at the tolerance", scene)


def _detection() -> Iterator[Row]:
    for base, share in _BASES.items():
        for effect, worse in _POINTS.items():
            for rps in _RATES:
                yield Row(
                    f"{rps} rps, {base}, {effect}", Scene(rps, share, worse=worse), found=True
                )


def _latency() -> Iterator[Row]:
    for percent in (10, 30, 50, 100):
        for rps in _RATES:
            scene = Scene(rps, 0.001, slower=1 + percent / 100)
            yield Row(f"{rps} rps, +{percent} %", scene, found=percent > 15)


def _late() -> Iterator[Row]:
    for name, last in {"100/0": 1.0, "95/5": 0.95}.items():
        scene = Scene(100, weather=weather.late(3, 3), stages=(*STAGES[:-1], Stage(last, 20)))
        yield Row(f"100 rps, +2 pt from the last stage on, {name}", scene, found=True)


_TROUBLES: dict[str, tuple[Disturbance, float]] = {
    "errors and load swing ±70 % (20 min period), both versions": (weather.swing, 0.01),
    "errors of BOTH versions triple at the 50 % stage": (weather.both_jump(3, 2), 0.01),
    "1-min error bursts ×15 hitting both versions": (weather.bursts, 0.003),
    "latency of both versions swings ±35 %": (weather.slow_swing, 0.002),
    "canary 2× slower in its first 90 s (cold caches)": (weather.cold(2, 90), 0.002),
    "canary 3× slower in its first 60 s": (weather.cold(3, 60), 0.002),
    "errors come in client-retry clusters, mean 5": (weather.clusters(5), 0.01),
    "clusters, mean 20": (weather.clusters(20), 0.01),
    "canary error rate wobbles each minute, CV 25 %": (weather.wobble(0.25), 0.01),
    "same, CV 50 %": (weather.wobble(0.5), 0.01),
    "canary fails 50 % during ONE window (hiccup)": (weather.hiccup, 0.002),
    "canary 1.5× slower for 5 minutes (longer than the warm-up)": (weather.cold(1.5, 300), 0.002),
}
"""With the error rates that the reference's prices tell; it does not name them."""


def _trouble() -> Iterator[Row]:
    for name, (disturbance, base) in _TROUBLES.items():
        for rps in (100, 1000):
            yield Row(f"{rps} rps, {name}", Scene(rps, base, weather=disturbance))


def _power() -> Iterator[Row]:
    for name, (disturbance, base) in _TROUBLES.items():
        yield Row(name, Scene(100, base, worse=0.02, weather=disturbance), found=True)


def _policy() -> Iterator[Row]:
    calm = ((1, 0.01), (3, 0.01), (10, 0.01), (100, 0.01), (1000, 0.01), (10, 0.05), (100, 0.05))
    for rps, base in calm:
        yield Row(f"{rps} rps, {base:.0%}, same".replace("%", " %"), Scene(rps, base, stages=LONG))
    for name, worse in {"+2 pt": 0.02, "+10 pt": 0.1, "+30 pt": 0.3, "latency +50 %": 0.0}.items():
        for rps in (1, 3, 10, 100, 1000):
            scene = Scene(rps, worse=worse, slower=1.0 if worse else 1.5, stages=LONG)
            yield Row(f"{rps} rps, 1 %, {name}", scene, found=True)


_OTHER_STAGES = tuple(Stage(share, 40) for share in (0.1, 0.5, 1.0))


def _holdout() -> Iterator[Row]:
    def scene(
        rps: float, worse: float = 0.0, slower: float = 1.0, what: Disturbance = weather.calm
    ) -> Scene:
        return Scene(rps, 0.003, worse, slower, what, _OTHER_STAGES)

    for rps in (30, 300):
        yield Row(f"{rps} rps calm", scene(rps))
        for points in (0.3, 1, 5):
            yield Row(f"{rps} rps +{points}pt", scene(rps, points / 100), found=True)
        yield Row(f"{rps} rps cluster10", scene(rps, what=weather.clusters(10)))
    yield Row("300 rps lat+40", scene(300, slower=1.4), found=True)
    for factor, seconds in ((3, 60), (3, 150), (1.5, 300)):
        yield Row(
            f"300 rps warm x{factor} {seconds}s", scene(300, what=weather.cold(factor, seconds))
        )
    yield Row("300 rps blip 50% one window", scene(300, what=weather.hiccup))
    yield Row("300 rps jump x4", scene(300, what=weather.both_jump(4, 2)))
    yield Row("300 rps podnoise CV35%", scene(300, what=weather.wobble(0.35)))


def _shapes() -> Iterator[Row]:
    cases = ((0.05, 0.3, (1.1, 1.2, 1.5)), (0.03, 1.0, (1.1, 1.3, 1.5)), (0.2, 0.4, (1.1, 1.3)))
    for median, sigma, factors in cases:
        for slower in factors:
            scene = Scene(200, 0.002, slower=slower, median=median, sigma=sigma, buckets=GO)
            yield Row(f"med {median} sig {sigma} x{slower}", scene, found=slower > 1.15)


_MAIN = ("seed", "EVIDENCE", "PRODUCT")
_NOISY = (*_MAIN, "noise 0.5")
_HARD = ("seed", "EVIDENCE", "noise 0.5")

TABLES = {
    "calm": (
        Table("calm", "False rollbacks, calm", tuple(_calm()), ("seed", "peek z", *_MAIN[1:]), 1000, short=True),
    ),
    "detection": (
        Table("detection", "Detection of errors", tuple(_detection()), _MAIN, 400),
        Table("latency", "Detection of latency", tuple(_latency()), _MAIN, 400, unit="r"),
        Table("late", "Detection with and without a control at the end", tuple(_late()), _MAIN, 400, short=True),
    ),
    "trouble": (
        Table("trouble", "False rollbacks, not calm", tuple(_trouble()), _NOISY, 800, short=True),
        Table("power", "Detection of +2 pt at 100 rps, not calm", tuple(_power()), _HARD, 400),
    ),
    "policy": (Table("policy", "The whole policy, with extension", tuple(_policy()), (), 400),),
    "holdout": (
        Table("holdout", "Hold-out: other stages and rates", tuple(_holdout()), _MAIN, 400),
        Table("shapes", "Hold-out: other latencies, other buckets", tuple(_shapes()), _MAIN, 400),
    ),
}  # fmt: skip


def named(name: str) -> Table:
    """Return a table by its own name."""
    return next(table for tables in TABLES.values() for table in tables if table.name == name)
