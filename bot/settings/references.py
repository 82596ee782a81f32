"""What one part of `sluice.yaml` says about another: clusters, metric sources, environments, who may approve.

Pure. Works on the tree, not on the values, so that a dangling name is reported in the same run as a bad duration next
to it. Whatever has the wrong shape is skipped here: the values already complain about it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.settings.document import Entry, Mapping, Node, Scalar, Sequence
from bot.settings.metrics import NOT_MEASURED
from bot.settings.problems import Mark, Problem
from bot.settings.scalars import did_you_mean, shown
from bot.settings.sources import SOURCES, AnyMetrics
from bot.settings.values import default_approvals

_USUAL_ENVIRONMENTS = (
    "production",
    "staging",
    "stage",
    "testing",
    "test",
    "development",
    "dev",
)


_CLOUDS = {
    **dict.fromkeys(("cloud_run", "prometheus"), "gcp"),
    **dict.fromkeys(("lambda_version", "alb", "route53", "cloudwatch"), "aws"),
}
"""By kind: the cloud that its account is one of. Of a kind that there is not nothing can be said."""


def reference_problems(root: Node, file: str) -> list[Problem]:
    """Return every name that leads nowhere, and every environment whose gates nobody can open."""
    if not isinstance(root, Mapping):
        return []
    found = _Found(file)
    for target in _targets(root):
        found.check_names(root, target)
    for source in _block(root.value("metrics")).entries.values():
        found.check_account(root, _block(source.value))
    environments = _block(root.value("environments"))
    for name, entry in environments.entries.items():
        found.check_approvers(name, entry.key_at, _block(entry.value))
    for name, at in _unlisted(root, environments):
        found.check_unlisted(name, at, environments)
    return found.problems


def _block(node: Node | None) -> Mapping:
    return node if isinstance(node, Mapping) else Mapping({}, Mark(1, 1))


def _targets(root: Mapping) -> Iterator[Entry]:
    for service in _block(root.value("services")).entries.values():
        for name, entry in _block(service.value).entries.items():
            if name != "about":
                yield entry


def _source(root: Mapping, metrics: Mapping) -> type[AnyMetrics] | None:
    """Return what the source that a target names is; None where it cannot be told."""
    name = metrics.value("source")
    if not isinstance(name, Scalar):
        return None
    kind = _block(_block(root.value("metrics")).value(name.text)).value("kind")
    return SOURCES.get(kind.text) if isinstance(kind, Scalar) else None


def _kind_without_queries(root: Mapping, target: Entry) -> str:
    """Return the kind of a source of a target that takes no queries of one's own; `""` where all do."""
    several = _block(target.value).value("targets")
    places = several.items if isinstance(several, Sequence) else ()
    bodies = (_block(target.value), *(_block(place) for place in places))
    sources = (_source(root, _block(body.value("metrics"))) for body in bodies)
    refusing = (one for one in sources if one is not None and not one.queries)
    return next((str(one.model_fields["kind"].default) for one in refusing), "")


def _unlisted(root: Mapping, environments: Mapping) -> Iterator[tuple[str, Mark]]:
    seen = set(environments.entries)
    for entry in _targets(root):
        if entry.key not in seen:
            seen.add(entry.key)
            yield entry.key, entry.key_at


@dataclass(slots=True)
class _Found:
    file: str
    problems: list[Problem] = field(default_factory=list)

    def report(self, at: Mark, code: str, key: str, message: str) -> None:
        self.problems.append(Problem(self.file, at.line, at.column, code, key, message))

    def check_names(self, root: Mapping, target: Entry) -> None:
        several = _block(target.value).value("targets")
        items = several.items if isinstance(several, Sequence) else ()
        for body in (_block(target.value), *(_block(item) for item in items)):
            source = _block(body.value("metrics")).value("source")
            self._check_name(body.value("cluster"), root.value("clusters"), "cluster")
            for part in ("workload", "traffic"):
                self.check_account(root, _block(body.value(part)))
            self._check_name(source, root.value("metrics"), "source")
            self._check_template(root, body)
        self._check_queries(_block(target.value), _kind_without_queries(root, target))

    def _check_template(self, root: Mapping, body: Mapping) -> None:
        """Report a template that the source of a target cannot be asked with; most kinds have others."""
        metrics = _block(body.value("metrics"))
        source = _source(root, metrics)
        written = metrics.value("template")
        name = written.text if isinstance(written, Scalar) else "istio"
        if source is None or name in source.templates or name not in NOT_MEASURED:
            return
        self.report(
            (written or metrics).at,
            "template_not_for_source",
            "template",
            f"This source cannot be asked with the template {name}: take {' or '.join(source.templates)}, "
            "or another source.",
        )

    def _check_queries(self, body: Mapping, kind: str) -> None:
        """Report every query of a target whose source takes none."""
        if not kind:
            return
        measured = (body.value("checks"), _block(body.value("ab_test")).value("metrics"))
        items = [item for one in measured if isinstance(one, Sequence) for item in one.items]
        written = [_block(item).value("query") for item in items]
        for query in (*written, *(e.value for e in _block(body.value("queries")).entries.values())):
            if query is not None:
                self.report(
                    query.at,
                    "queries_not_for_source",
                    "query",
                    f"A source of kind {kind} takes no queries: remove this one, or take a Prometheus.",
                )

    def check_account(self, root: Mapping, body: Mapping) -> None:
        """Report an account that is not there, or is one of another cloud."""
        account, accounts = body.value("account"), root.value("accounts")
        self._check_name(account, accounts, "account")
        if not isinstance(account, Scalar):
            return
        kind, ours = _block(_block(accounts).value(account.text)).value("kind"), body.value("kind")
        wanted = _CLOUDS.get(ours.text) if isinstance(ours, Scalar) else None
        if (
            wanted
            and isinstance(kind, Scalar)
            and kind.text in ("aws", "gcp")
            and kind.text != wanted
        ):
            self.report(
                account.at,
                "wrong_account",
                "account",
                f"{shown(account.text)} is an account of kind {kind.text}, and this needs one of kind {wanted}: "
                "name such a one.",
            )

    def _check_name(self, node: Node | None, block: Node | None, key: str) -> None:
        known = _block(block).entries
        if not isinstance(node, Scalar) or node.kind != "text" or node.text in known:
            return
        what = {"source": "metric source"}.get(key, key)
        listed = ", ".join(list(known)[:20]) or "none"
        hint = did_you_mean(node.text, known)
        self.report(
            node.at,
            f"unknown_{key}",
            key,
            f"{shown(node.text)} is no {what} of this file{hint}. Known: {listed}.",
        )

    def check_approvers(self, name: str, at: Mark, body: Mapping) -> None:
        approvals, approvers = body.value("approvals"), body.value("approvers")
        quorum = _count(approvals, default_approvals(name))
        ids = _ids(approvers)
        if quorum is None or ids is None or quorum <= 0:
            return
        if not ids:
            place = approvers or approvals
            self._nobody(name, quorum, place.at if place else at)
        elif len(ids) < quorum and not any(i.startswith("S") for i in ids):
            self.report(
                approvals.at if approvals else at,
                "too_few_approvers",
                "approvals",
                f"{quorum} approvals are asked for, but only {len(ids)} may approve: list more approvers or a group.",
            )

    def _nobody(self, name: str, quorum: int, at: Mark) -> None:
        self.report(
            at,
            "no_approvers",
            "approvers",
            f"{name} asks for {quorum} approval{'s' * (quorum > 1)}, but nobody may approve: list user groups or users "
            "under approvers, or write approvals: 0.",
        )

    def check_unlisted(self, name: str, at: Mark, environments: Mapping) -> None:
        if name in _USUAL_ENVIRONMENTS or default_approvals(name):
            self.check_approvers(name, at, _block(None))
        elif hint := did_you_mean(name, [*environments.entries, *_USUAL_ENVIRONMENTS, "about"]):
            # A typing mistake here would quietly open a gate: an unlisted environment asks for no approval.
            self.report(
                at,
                "unknown_environment",
                name,
                f"{shown(name)} is not listed under environments{hint}. Correct the name, or list it there.",
            )


def _count(node: Node | None, default: int) -> int | None:
    if node is None:
        return default
    if isinstance(node, Scalar) and re.fullmatch("[0-9]{1,3}", node.text, re.ASCII):
        return int(node.text)
    return None


def _ids(node: Node | None) -> set[str] | None:
    if node is None:
        return set()
    if not isinstance(node, Sequence):
        return None
    return {item.text for item in node.items if isinstance(item, Scalar)}
