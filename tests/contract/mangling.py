"""What people do to a VirtualService in the middle of a rollout, and what is left to the canary afterwards.

Each takes the object as the rollout left it: half of the traffic on the canary by the route `primary`, and for those
called after what is ours an audience right before it.
"""

from copy import deepcopy
from typing import Any


def main_of(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in body["spec"]["http"] if r.get("name") == "primary")
    return found


def renamed(body):
    main_of(body)["name"] = "main"


def without_weights(body):
    for entry in main_of(body)["route"]:
        del entry["weight"]


def sum_nought(body):
    for entry in main_of(body)["route"]:
        entry["weight"] = 0


def negative(body):
    main_of(body)["route"][0]["weight"] = -50


def turned_round(body):
    main_of(body)["route"].reverse()


def one_more_destination(body):
    main_of(body)["route"].append({"destination": {"host": "shadow"}, "weight": 50})


def a_second_canary(body):
    main_of(body)["route"].append(deepcopy(main_of(body)["route"][1]))


def no_canary(body):
    del main_of(body)["route"][1]


def no_stable(body):
    del main_of(body)["route"][0]


def replaced(body):
    body["spec"]["http"] = [{"name": "new", "route": [main_of(body)["route"][1]], "timeout": "1s"}]


def doubled(body):
    body["spec"]["http"].append(deepcopy(main_of(body)))


def ours_edited(body):
    body["spec"]["http"][0]["match"] = [{"uri": {"prefix": "/"}}]
    body["spec"]["http"][0]["timeout"] = "9s"


def ours_doubled(body):
    body["spec"]["http"].append(deepcopy(body["spec"]["http"][0]))


def ours_in_a_ruin(body):
    renamed(body)
    body["spec"]["http"].append(deepcopy(body["spec"]["http"][0]))


def moved_to_connections(body):
    body["spec"]["tcp"] = [{"route": body["spec"].pop("http")[1]["route"]}]
    body["spec"]["http"] = None


MANGLING = [
    renamed,
    without_weights,
    sum_nought,
    negative,
    turned_round,
    one_more_destination,
    a_second_canary,
    no_canary,
    no_stable,
    replaced,
    doubled,
    ours_edited,
    ours_doubled,
    ours_in_a_ruin,
    moved_to_connections,
]


def to_the_canary(body) -> list[Any]:
    """Every destination of the canary that still gets something."""
    routes = [r for family in ("http", "tcp", "tls") for r in body["spec"].get(family) or []]
    return [
        entry
        for route in routes
        for entry in route["route"]
        if entry["destination"].get("subset") == "canary"
        and (entry.get("weight") or len(route["route"]) == 1)
    ]
