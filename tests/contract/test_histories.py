"""Both hosts of source code against servers that answer as theirs do: what is told, what goes wrong, what leaks."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations.base import RefusedError, TryAgainError
from integrations.source.github import GithubHistory
from integrations.source.gitlab import GitlabHistory
from tests.fakes.code_hosts import COMMITTED, TOKEN, FakeGithub, FakeGitlab

REPO = "orion/auth"
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
KINDS = {"github": (FakeGithub, GithubHistory), "gitlab": (FakeGitlab, GitlabHistory)}


class World:
    def __init__(self, kind):
        self.host = KINDS[kind][0]()
        self.make = KINDS[kind][1]
        self.now = NOW

    async def start(self):
        self.url = await self.host.start()
        self.host.repositories[REPO] = {"v1.41", "v1.42"}
        self.host.commits = [
            ("Ana", "Count requests\n\nlong story"),
            ("Ben", "Mend it"),
            ("Ana", "Less"),
        ]
        self.host.files = ["db/migrations/0007.py", "src/app.py"]
        self.history = self.make(self.url, clock=lambda: self.now, token=TOKEN)

    async def compare(self, head="v1.42", repository=REPO):
        return await self.history.compare(repository, "v1.41", head)

    async def failed(self, **kwargs):
        with pytest.raises((RefusedError, TryAgainError)) as caught:
            await self.compare(**kwargs)
        assert "channel" not in str(caught.value)
        assert TOKEN not in str(caught.value)
        return caught.value


@pytest.fixture(params=KINDS)
async def world(request):
    world = World(request.param)
    await world.start()
    yield world
    await world.history.close()
    await world.host.stop()


async def test_commits_authors_titles_and_files_are_told(world):
    found = await world.compare()
    assert found.count == 3
    assert found.authors == ("Ana", "Ben")
    assert found.titles == ("Less", "Mend it", "Count requests")
    assert found.files == ("db/migrations/0007.py", "src/app.py")
    assert found.whole
    assert found.first == datetime.fromisoformat(COMMITTED)


async def test_the_link_leads_to_a_page_of_the_host_and_not_where_its_answer_says(world):
    link = world.history.link(REPO, "v1.41", "v1.42")
    assert link.startswith(f"{world.url}/{REPO}/")
    assert link.endswith("compare/v1.41...v1.42")


def test_the_pages_of_github_itself_are_beside_its_api():
    for url, web in {
        "https://api.github.com": "https://github.com",
        "https://git.example/api/v3": "https://git.example",
    }.items():
        link = GithubHistory(url, clock=lambda: NOW).link(REPO, "v1", "v2")
        assert link == f"{web}/orion/auth/compare/v1...v2"


async def test_a_wrong_token_is_refused_and_not_repeated(world):
    history = world.make(world.url, clock=lambda: NOW, token="another-token")
    with pytest.raises(RefusedError) as caught:
        await history.compare(REPO, "v1.41", "v1.42")
    await history.close()
    assert caught.value.code == "history_refused"
    assert "another-token" not in f"{caught.value} {history!r} {history._host!r}"


async def test_a_tag_that_is_not_there_is_said_so(world):
    assert (await world.failed(head="v9")).code == "history_unknown"
    assert (await world.failed(repository="orion/other")).code == "history_unknown"


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "30"}, 30),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW.timestamp() + 90:.0f}"},
            90,
        ),
        (429, {}, 60),
    ],
)
async def test_a_host_that_asks_us_to_slow_down_is_left_alone_so_long(
    world, status, headers, seconds
):
    world.host.answers = [(status, headers)]
    assert (await world.failed()).code == "history_busy"
    world.now += timedelta(seconds=seconds - 1)
    assert (await world.failed()).code == "history_busy"
    assert len(world.host.seen) == 1
    world.now += timedelta(seconds=2)
    assert (await world.compare()).count == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "history_failed"), (503, "history_failed"), (418, "history_unreadable")],
)
async def test_an_answer_that_is_an_error_is_one_sentence(world, status, code):
    world.host.answers = [(status, {})]
    assert (await world.failed()).code == code


@pytest.mark.parametrize(
    "raw",
    [b"<html>", b"[]", b"null", b"{}", b"[" * 100_000, b'{"commits": 1, "total_commits": "x"}'],
)
async def test_rubbish_is_no_comparison(world, raw):
    world.host.raw = raw
    assert (await world.failed()).code == "history_unreadable"


async def test_an_endless_answer_is_not_read_to_its_end(world):
    world.host.raw = b" " * (9 << 20)
    assert (await world.failed()).code == "history_too_large"


async def test_a_host_that_is_not_there_can_be_tried_again(world):
    await world.host.stop()
    assert (await world.failed()).code == "history_unreachable"
    await world.host.start()


async def test_a_renamed_repository_is_followed_on_its_host_only():
    world = World("github")
    await world.start()
    world.host.renamed = {"orion/old": REPO}
    assert (await world.compare(repository="orion/old")).count == 3
    assert all(r.headers["Authorization"] == f"Bearer {TOKEN}" for r in world.host.seen)
    for location in ("http://elsewhere.example/x", "//elsewhere.example", "http://[", ""):
        world.host.answers = [(301, {"Location": location})]
        assert (await world.failed()).code == "history_redirects"
    world.host.answers = [(302, {"Location": "/again"})] * 5
    assert (await world.failed()).code == "history_redirects"
    await world.history.close()
    await world.host.stop()


async def test_more_than_250_commits_are_counted_all_and_authors_at_least():
    world = World("github")
    await world.start()
    world.host.commits = [(f"Dev {n % 7}", f"Change {n}") for n in range(612)]
    found = await world.compare()
    assert (found.count, len(found.authors), found.whole, found.titles) == (612, 7, False, ())
    await world.history.close()
    await world.host.stop()


async def test_no_version_reaches_beyond_its_place_in_the_address(world):
    assert (await world.failed(head="v1/../../../x?y=1#z")).code == "history_unknown"
    assert "/../" not in str(world.host.seen[-1].raw_path)
