"""A/B tests: which variant is better, said only when it is certain at whatever moment somebody looks.

The one rule: a difference counts once its whole interval lies on one side, and the intervals hold for all looks of the
test together. A is what was live and stays unless B is proven to be better; what is not known makes nobody win. Pure,
standard library only. The seeds' literal score is `strategies.compare`.

Sources: Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", AoS
2021; Waudby-Smith et al., "Time-uniform central limit theory and asymptotic confidence sequences", AoS 2024; Lindon and
Malek, NeurIPS 2022 (the split); Schultzberg, Ankargren and Frånberg, "Risk-aware product decisions in A/B tests with
multiple metrics", Spotify 2024 (who wins).
"""

from strategies.experiment.business import visible
from strategies.experiment.foreseeing import foreseen
from strategies.experiment.intervals import Interval
from strategies.experiment.outcome import Weighed
from strategies.experiment.pairs import SPAN, Pairs, Use, paired
from strategies.experiment.policy import ExperimentPolicy, Split, Weights
from strategies.experiment.saying import failing
from strategies.experiment.tallies import Arm, Assigned, Clumps
from strategies.experiment.weighing import weigh

__all__ = [
    "SPAN",
    "Arm",
    "Assigned",
    "Clumps",
    "ExperimentPolicy",
    "Interval",
    "Pairs",
    "Split",
    "Use",
    "Weighed",
    "Weights",
    "failing",
    "foreseen",
    "paired",
    "visible",
    "weigh",
]
