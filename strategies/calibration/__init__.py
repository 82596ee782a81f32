"""What a service itself says about how it is to be judged: its stable pods held against each other, for a day.

Pure. The one rule: both sides run the same version, so every rollback here is a false one. Pods are split at random
into a canary and a stable lane, again and again, and the judge of real rollouts decides; `noise` is raised until it is
wrong in at most one of a hundred. It also finds pods that fail more often than their like, and limits that stable
itself breaks.
"""

from strategies.calibration.calibrating import Calibration, CalibrationError, calibrate
from strategies.calibration.saying import as_json, lines
from strategies.calibration.stages import Stage, stages_of
from strategies.calibration.table import Minute, Pod, Table

__all__ = [
    "Calibration",
    "CalibrationError",
    "Minute",
    "Pod",
    "Stage",
    "Table",
    "as_json",
    "calibrate",
    "lines",
    "stages_of",
]
