"""`sluice calibrate`: reads what stable's pods answered and replays rollouts on it. Nothing is written anywhere."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from bot.app.targets import Targets
from bot.cli.doors import DoorError, Stretch
from bot.grammar.verbs import Deploy
from bot.planning import plan_for
from bot.settings import Config, ConfigError, SettingsError, load_config, read_settings
from bot.settings.evidence import EvidenceBlock, policy_from
from integrations.base import IntegrationError, Lane
from integrations.recording import Record, RecordingSource
from strategies.calibration import Calibration, CalibrationError, Table, calibrate

_NO_RECORD = (
    "The metric source of {} keeps no counters of single instances, so nothing can be replayed."
)
_ONE_PLACE = (
    "{} runs in one place, so its versions have no numbers of their own and the counts decide nothing: there is "
    "nothing to calibrate."
)


async def calibrate_stretch(
    path: Path, wanted: Stretch, now: Callable[[], datetime], tell: Callable[[str], None]
) -> Calibration:
    """Return what the last hours of a target say about how it is judged; `tell` hears how far it is.

    Raises `DoorError`, and what is wrong with the file or the names.
    """
    config, kubeconfig = _settled(path)
    # What version it is does not matter: who is asked and how long is watched is the same for any.
    plan = plan_for(Deploy(wanted.service, "v1", wanted.environment), config)
    targets = Targets(config, now, kubeconfig)
    try:
        record = await _record(targets, wanted, now(), tell)
        table = Table(record.instances, record.seconds)
        house = policy_from(config.environment(wanted.environment).evidence, EvidenceBlock())
        return calibrate(table, plan, tell, house=house)
    except (IntegrationError, CalibrationError) as error:
        raise DoorError(str(error), code=error.code) from error
    finally:
        await targets.close()


def _settled(path: Path) -> tuple[Config, str | None]:
    """Return the configuration, with the secrets of the environment where all of them are there."""
    config = load_config(path)
    try:
        settings = read_settings()
    except (SettingsError, ConfigError):
        return config, None
    return (
        (settings.config, settings.kubeconfig) if settings.config_path == path else (config, None)
    )


async def _record(
    targets: Targets, wanted: Stretch, now: datetime, tell: Callable[[str], None]
) -> Record:
    service, environment = wanted.service, wanted.environment
    place = _place(targets, wanted)
    target = await targets.find(service, environment, place)
    if target.router is None:
        raise DoorError(_ONE_PLACE.format(service), code="nothing_to_calibrate")
    if not isinstance(target.metrics, RecordingSource):
        raise DoorError(_NO_RECORD.format(service), code="no_counters")
    tell(f"Reading {wanted.seconds / 3600:g} hours of {service} in {environment}.")
    record = await target.metrics.recorded(
        Lane.STABLE, now - timedelta(seconds=wanted.seconds), now
    )
    tell(f"{len(record.instances)} pods; replaying rollouts.")
    return record


def _place(targets: Targets, wanted: Stretch) -> str:
    names = targets.places(wanted.service, wanted.environment)
    if not wanted.place:
        return names[0]
    if wanted.place not in names:
        known = ", ".join(filter(None, names)) or "none that has a name"
        sentence = f"{wanted.service} has no target {wanted.place} there; take one of: {known}."
        raise DoorError(sentence, code="unknown_target")
    return wanted.place
