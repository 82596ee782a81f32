"""Paths are built from checked names, answers are checked to be what was asked for, credentials fail in words."""

import pytest

from integrations.base import RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.fence import refuse_newer
from integrations.kube.paths import place_of, refuse_another


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (("v1", "pods", "orion"), "/api/v1/namespaces/orion/pods"),
        (("v1", "pods", "orion", "a.b-1"), "/api/v1/namespaces/orion/pods/a.b-1"),
        (("apps/v1", "deployments", "o", "d"), "/apis/apps/v1/namespaces/o/deployments/d"),
    ],
)
def test_a_path_has_the_parts_in_their_places(args, path):
    assert path_to(*args) == path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/v1/namespaces/orion/pods/a", "pods a in namespace orion"),
        ("/apis/apps/v1/namespaces/o/deployments/d/status", "deployments.apps d in namespace o"),
        ("/api/v1/namespaces/orion", "namespaces orion"),
        ("/apis/networking.istio.io", "None"),
        ("/version", "None"),
    ],
)
def test_a_path_is_read_back_in_words(path, words):
    assert str(place_of(path)) == words


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/v1/namespaces/orion/pods/a", "Pod a in namespace orion"),
        (
            "/apis/networking.istio.io/v1/namespaces/o/virtualservices/d",
            "VirtualService d in namespace o",
        ),
        (
            "/apis/networking.istio.io/v1/namespaces/o/virtualservices",
            "virtualservices in namespace o",
        ),
        ("/apis/example.com/v1/namespaces/o/apples/d", "apples d in namespace o"),
        ("/api/v1/namespaces/orion", "Namespace orion"),
    ],
)
def test_an_object_is_called_by_its_kind(path, words):
    place = place_of(path)
    assert place is not None
    assert place.named == words


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Secret", "metadata": {"name": "d", "namespace": "o"}},
        {"kind": "Deployment", "metadata": {"name": "e", "namespace": "o"}},
        {"kind": "Deployment", "metadata": {"name": "d", "namespace": "p"}},
        {"kind": "Deployment"},
        {},
    ],
)
def test_another_object_than_the_one_asked_for_is_refused(body):
    place = place_of(path_to("apps/v1", "deployments", "o", "d"))
    assert place is not None

    with pytest.raises(RefusedError) as refused:
        refuse_another(place, body)

    assert refused.value.code == "wrong_object"


@pytest.mark.parametrize(
    ("found", "ours"), [("", "1.1"), ("1.1", "1.1"), ("1.9", "1.10"), ("9.9", "10.0"), ("x", "0.0")]
)
def test_a_fence_may_stay_or_grow(found, ours):
    refuse_newer(found, ours, "the object")


@pytest.mark.parametrize(("found", "ours"), [("1.10", "1.9"), ("10.0", "9.9")])
def test_a_fence_never_shrinks(found, ours):
    with pytest.raises(RefusedError, match=found):
        refuse_newer(found, ours, "the object")


@pytest.mark.parametrize("ours", ["", "1", "1.a", "1.2.3"])
def test_a_fence_of_ours_that_is_none_is_a_mistake_of_ours(ours):
    with pytest.raises(ValueError, match="fence"):
        refuse_newer("", ours, "the object")


@pytest.mark.parametrize("text", ["", "{", "[]", "clusters: 1", "current-context: nowhere"])
async def test_a_kubeconfig_that_is_none_is_refused_in_words(tmp_path, text):
    file = tmp_path / "config"
    file.write_text(text)

    with pytest.raises(RefusedError, match="config") as refused:
        await Cluster.connect(str(file), None)

    assert refused.value.code == "kubeconfig_invalid"


async def test_an_absent_kubeconfig_is_refused_by_name(tmp_path):
    with pytest.raises(RefusedError, match="nowhere"):
        await Cluster.connect(str(tmp_path / "nowhere"), "prod")


async def test_outside_a_pod_a_kubeconfig_is_asked_for():
    with pytest.raises(RefusedError, match="no kubeconfig"):
        await Cluster.connect(None, None)
