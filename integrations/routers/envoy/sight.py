"""What one look at a route file showed, and the file that follows from it.

Pure. The version of the file (`version_info`) is its owner's and stays as it is: what changed is told by the fence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from integrations.base import HeaderRule, RefusedError, Split
from integrations.kube.fence import refuse_newer
from integrations.routers.envoy.audience import audience_of, routes_for
from integrations.routers.envoy.cut_off import Wreck
from integrations.routers.envoy.document import child, copied, dump, key_of, parse
from integrations.routers.envoy.files import token_of
from integrations.routers.envoy.leading import elsewhere, place_of
from integrations.routers.envoy.metadata import note_of, put_fence
from integrations.routers.envoy.routes import Body, Fork, Wanted, entries_of, find_fork
from integrations.routers.envoy.weights import MOST
from integrations.splitting.managed import Audience
from integrations.splitting.shares import percent_of, share


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a file, or at the same routes in the dump of a proxy."""

    content: Body
    split: Split
    fork: Fork | None = None
    """The route that is split; None where it cannot be told."""
    audience: Audience = field(default_factory=Audience)
    wrong: RefusedError | None = None
    """Why nothing but going home is possible here."""


def see(data: bytes, wanted: Wanted, what: str) -> Sight:
    """Return what a file shows. Raises `RefusedError` `envoy_file_not_json`."""
    return sight_of(parse(data, what), wanted, what, token_of(data))


def sight_of(content: Body, wanted: Wanted, what: str, token: str = "") -> Sight:
    """Return what some content shows."""
    try:
        fork = find_fork(content, wanted, what)
    except RefusedError as error:
        wreck = Wreck(content, wanted)
        split = Split(
            canary=wreck.canary,
            token=token,
            fence=wreck.fence,
            mark=wreck.mark,
            elsewhere=_beside(content, wanted, None, Audience()),
            rules=wreck.rules,
        )
        return Sight(content, split, wrong=error)
    audience = audience_of(fork, wanted)
    split = Split(
        canary=percent_of(*fork.weights),
        token=token,
        fence=note_of(fork.route, "fence"),
        mark=note_of(fork.route, "rollback"),
        elsewhere=_beside(content, wanted, fork, audience),
        rules=audience.rules,
    )
    return Sight(content, split, fork, audience)


def _beside(content: Body, wanted: Wanted, fork: Fork | None, audience: Audience) -> str:
    """Return what leads to the canary and would go on to after the way home, on which a wreck has all routes turned."""
    if fork is None:
        return elsewhere(content, wanted, None)
    ours = (fork.index, *(managed.index for managed in audience.routes))
    return elsewhere(content, wanted, {place_of(fork.host, at) for at in ours})


def changed(
    data: bytes, wanted: Wanted, what: str, canary: float, fence: str, rules: Sequence[HeaderRule]
) -> bytes:
    """Return the file in which the canary has its percent and its audience, and the split route the fence.

    Raises `RefusedError`: `fenced`, `bad_weight`, `inexact_weight`, `bad_header_rule`, and what is wrong with the file
    where it is not for the way home.
    """
    sight = see(data, wanted, what)
    refuse_newer(sight.split.fence, fence, what)
    if sight.fork is not None:
        return dump(with_split(sight, canary, fence, rules), data)
    if sight.wrong is not None and (canary or rules):
        raise sight.wrong
    return dump(Wreck(sight.content, wanted).without_canary(fence, what), data)


def with_split(sight: Sight, canary: float, fence: str, rules: Sequence[HeaderRule]) -> Body:
    """Return the content in which the route that is split gives the canary its percent and its audience.

    Raises `RefusedError`: `bad_weight`, `inexact_weight`, `bad_header_rule`.
    """
    fork = sight.fork
    assert fork is not None
    weights = share(*fork.weights, others=fork.others, percent=canary, most=MOST)
    ours = routes_for(rules, sight.audience, fork)
    content = copied(sight.content)
    routes = fork.host.list_in(content)
    route = routes[fork.index]
    for at, weight in zip((fork.stable, fork.canary), weights, strict=True):
        entry = entries_of(route)[at]
        entry[key_of(entry, "weight")] = weight
    put_fence(route, fence)
    gone = {managed.index for managed in sight.audience.routes}
    before = [one for at, one in enumerate(routes[: fork.index]) if at not in gone]
    after = [one for at, one in enumerate(routes) if at > fork.index and at not in gone]
    routes[:] = [*before, *ours, route, *after]
    return content


def validates_clusters(sight: Sight) -> bool:
    """Say whether Envoy would refuse the file if one of its clusters did not exist, instead of answering 503."""
    if sight.fork is None:
        return False
    resource = child(sight.content, "resources")[sight.fork.host.resource]
    return child(resource, "validate_clusters") is True
