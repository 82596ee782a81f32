"""What a preflight may notice about a proxy and its clusters. Pure."""

from integrations.base import Finding


def unchecked(file: str) -> Finding:
    """Say that a cluster may not exist: nobody can be asked, and Envoy takes routes to those that do not."""
    return Finding(
        "envoy_clusters_unchecked",
        f"{file} does not set `validate_clusters`, so a cluster that does not exist would be answered with HTTP 503. "
        "Set it to true on the RouteConfiguration, or name `traffic.admin`.",
        fatal=False,
    )


def not_live(file: str) -> Finding:
    """Say that the proxy has other routes than the file: it refused them, or reads another one."""
    return Finding(
        "envoy_not_live",
        f"{file} is not what the proxy at `traffic.admin` serves, so a write would change nothing. "
        "Look at its log and at `update_rejected`, and at which file it watches.",
    )


def no_cluster(name: str) -> Finding:
    """Say that the proxy has no cluster of this name."""
    return Finding(
        "envoy_cluster_missing",
        f"The proxy has no cluster {name}; traffic sent there fails. Add it, or correct `traffic` in sluice.yaml.",
    )


def no_host(name: str) -> Finding:
    """Say that nobody would answer for a cluster."""
    return Finding(
        "subset_without_pods",
        f"Cluster {name} has no host that Envoy would send requests to; traffic sent there fails. "
        "Start its pods, or correct its endpoints.",
    )
