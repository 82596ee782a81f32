"""Evidence for and against a new version, from counts: valid however often anybody looks.

The one rule: everything is "of the bad events of this window, did the canary get more than its share of the requests
explains?" A product of such answers stays small while the canary is within tolerance (a supermartingale), so reaching
`1 / alpha` at any look of the whole rollout has a probability of at most alpha (Ville). Pure, standard library only.

Sources: Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022 (whose event is it, given
the split); Lindon, Sanden and Shirikian, KDD 2022; Shin, Ramdas and Rinaldo, "E-detectors", NEJSDS 2023 (starts).
"""

from strategies.evidence.alone import RECENT, alone
from strategies.evidence.assurance import affordable, assurance, needed, ruled_out
from strategies.evidence.certainty import Case
from strategies.evidence.counts import Both, Tally, Window
from strategies.evidence.memory import Memory, harm, remember
from strategies.evidence.policy import Policy, Question
from strategies.evidence.ruling import Ahead, Ruling, rule
from strategies.evidence.slowness import SlowRule, slow_rule
from strategies.evidence.verdicts import Verdict

__all__ = [
    "RECENT",
    "Ahead",
    "Both",
    "Case",
    "Memory",
    "Policy",
    "Question",
    "Ruling",
    "SlowRule",
    "Tally",
    "Verdict",
    "Window",
    "affordable",
    "alone",
    "assurance",
    "harm",
    "needed",
    "remember",
    "rule",
    "ruled_out",
    "slow_rule",
]
