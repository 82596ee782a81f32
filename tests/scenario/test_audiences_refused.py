"""Audiences that a target cannot have: refused with the key that was typed, or held with a person."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import Stage


@pytest.mark.parametrize("audience", ["header=x-canary=true", "user-tier=beta", "region=eu"])
@pytest.mark.parametrize(
    ("shape", "strategy", "code"),
    [
        ("swap", "canary", "weights_unreachable"),
        ("swap", "direct", "option_not_for_strategy"),
        ("one", "canary", "no_header_routes"),
        ("one", "rolling", "option_not_for_strategy"),
        ("fixed", "blue-green", "option_not_for_strategy"),
    ],
)
async def test_an_audience_that_nobody_could_tell_apart_is_refused(
    tmp_path, shape, strategy, code, audience
):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        answer = await stage.say(
            f"/deploy auth-service v2.0.0 to production strategy={strategy} {audience}"
        )
        assert code in answer or "no_header_routes" in answer
        assert audience.partition("=")[0] in answer
        assert await stage.bot.store.history() == []


async def test_a_header_that_the_route_asks_for_already_is_refused_before_anything_is_written(
    tmp_path,
):
    async with Stage.opened(tmp_path) as stage:
        stage.cluster.edit(
            "virtualservices",
            "orion",
            "auth-service",
            lambda body: body["spec"]["http"][0].update(
                match=[{"headers": {"x-canary": {"exact": "no"}}}]
            ),
        )
        line = "auth-service v2.0.0 to production header=x-canary=true"
        sentence = "already has a condition on the header x-canary"
        assert sentence in await stage.say(f"/deploy plan {line}")
        await stage.say(f"/deploy {line}")
        await stage.wait(30)
        assert await stage.phase() == (Phase.CANCELLED, "header_already_matched")
        assert sentence in stage.heard()
        assert stage.cluster.log == []
        assert stage.as_armed
