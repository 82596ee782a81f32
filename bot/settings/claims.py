"""Objects that one target alone may write: a second target of the same would take the writes of the first for edits.

Pure. Which keys name such an object is said by each block (`own`); where it is, is added here.
"""

from collections.abc import Iterator, Mapping

from bot.settings.accounts import AwsAccount, GcpAccount
from bot.settings.targets import PlaceBlock, TargetBlock
from bot.settings.traffic import TrafficBlock
from bot.settings.workloads import WorkloadBlock

_Path = tuple[str | int, ...]
_Object = tuple[object, ...]
Accounts = Mapping[str, AwsAccount | GcpAccount]


def claimed_twice(
    targets: Mapping[tuple[str, str], TargetBlock], accounts: Accounts
) -> Iterator[tuple[_Path, str, str]]:
    """Yield the second claim of every object; targets are by service and environment."""
    first: dict[_Object, str] = {}
    for (service, environment), target in targets.items():
        whose = f"{service} in {environment}"
        for path, place in _places(target):
            for key, thing in _claims(place, accounts):
                other = first.setdefault(thing, whose)
                if other != whose:
                    at = ("services", service, "targets", environment, *path, key)
                    sentence = (
                        f"{other} already rolls out on the same object, and each of the two would take the other's "
                        "writes for somebody else's: give this target an object of its own, or remove one of the two."
                    )
                    yield (at, "same_object_twice", sentence)


def _places(target: TargetBlock) -> Iterator[tuple[_Path, PlaceBlock]]:
    for index, place in enumerate(target.places):
        yield ("targets", index) if target.targets else (), place


def _claims(place: PlaceBlock, accounts: Accounts) -> Iterator[tuple[str, _Object]]:
    """Yield the keys of a place that claim an object, and what tells it from all others."""
    workload, traffic = place.workload, place.traffic
    if workload.own:
        yield "workload", (*_named(workload), *_where(place, workload, accounts))
    if traffic is not None and traffic.own:
        yield "traffic", _named(traffic)


def _named(block: WorkloadBlock | TrafficBlock) -> _Object:
    return (type(block), *(getattr(block, key) for key in block.own))


def _where(place: PlaceBlock, workload: WorkloadBlock, accounts: Accounts) -> _Object:
    if workload.clustered:
        return place.cluster, place.namespace
    # Two names of one account are one account.
    return (repr(accounts.get(str(getattr(workload, "account", "")))),)
