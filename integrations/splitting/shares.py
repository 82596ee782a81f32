"""Weight arithmetic: whole numbers, relative to their sum.

Pure. A share is written exactly or not at all, so that what is read back equals what a person approved.
"""

from integrations.base import RefusedError

# Weights that are relative need not add up to 100; 10000 carries hundredths of a percent.
_SCALES = (100, 1_000, 10_000)


def percent_of(stable: float, canary: float) -> float:
    """Return the canary's percent of what stable and canary share; 0 when neither has a weight."""
    total = stable + canary
    return float(100 * canary / total) if total else 0.0


def share(
    stable: int, canary: int, *, others: int, percent: float, most: int | None = None
) -> tuple[int, int]:
    """Return new weights of stable and canary, given the weights they and the other destinations have now.

    `most` is the largest weight that the provider takes. Raises `RefusedError`: `bad_weight` for what is no percentage,
    `inexact_weight` for what cannot be written exactly.
    """
    if not 0 <= percent <= 100:
        raise RefusedError(
            f"{percent} is no percentage. Ask for 0 to 100 percent.", code="bad_weight"
        )
    for total in _totals(stable + canary, others):
        weight = round(total * percent / 100)
        fits = most is None or max(weight, total - weight) <= most
        if fits and percent_of(total - weight, weight) == percent:
            return total - weight, weight
    if not percent and most is not None:
        # The way home is never refused: beside others stable rather gets too little than the canary anything.
        return most, 0
    raise _inexact(stable + canary, others, percent, most)


def _totals(ours: int, others: int) -> tuple[int, ...]:
    """Return the sums to try for our two weights, the one found first: rules and dashboards may count on it."""
    if others:
        # The share of the other destinations is not ours to change, so our sum has to stay as it is.
        return (ours or max(100 - others, 1),)
    # A sum of 10 cannot carry 5 %. With nobody else on the route a larger sum changes nobody's share.
    return (ours, *_SCALES) if ours else _SCALES


def _inexact(ours: int, others: int, percent: float, most: int | None) -> RefusedError:
    if others:
        why = (
            f"stable and canary share a weight of {ours} beside other destinations ({others}), and "
            f"{percent:g} % of it is not a whole number that may stand there. "
            "Give all weights of that route another sum, such as a hundred times theirs"
        )
    elif most is not None and most < _SCALES[-1]:
        why = f"weights are whole numbers up to {most}. Ask for a whole percentage"
    else:
        why = "weights are whole numbers. Ask for a percentage with at most two decimals"
    return RefusedError(f"{percent:g} % cannot be written exactly: {why}.", code="inexact_weight")
