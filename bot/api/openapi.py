"""The OpenAPI document, built from the routes that are there, so that it cannot name others."""

from typing import Any

from bot.api.asked import QUERY

_SUMMARIES = {
    ("POST", "/api/v1/deployments"): "Start a rollout, or show its plan with dry_run=true",
    ("GET", "/api/v1/deployments"): "List rollouts, newest first",
    ("GET", "/api/v1/deployments/{id}"): "Show one rollout",
    ("GET", "/api/v1/deployments/{id}/journal"): "Show what happened to one rollout",
    (
        "POST",
        "/api/v1/deployments/{id}/{verb}",
    ): "promote, approve, pause, resume, adopt, extend or rollback",
    ("POST", "/api/v1/commands"): "Say a command as in Slack",
    ("GET", "/api/v1/stats"): "How the strategies did: success, durations, rollbacks",
    ("GET", "/api/v1/openapi.json"): "This document",
    (
        "POST",
        "/hooks/alertmanager/{token}",
    ): "Alerts of Alertmanager: they pause or roll back what they match",
    ("POST", "/hooks/flagger/{gate}/{token}"): "A gate of Flagger: 200 is yes, everything else no",
    ("GET", "/healthz"): "Whether the process lives",
    ("GET", "/readyz"): "Whether it can work",
    ("GET", "/metrics"): "Numbers for Prometheus",
}

_PROBLEM = {
    "type": "object",
    "required": ["title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "key": {"type": "string"},
        "suggestion": {"type": "string"},
    },
}


def document(routes: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the document for these routes (method, path template)."""
    paths: dict[str, Any] = {}
    for method, template in routes:
        path = template.split(":")[0] + "}" if ":" in template else template
        error = {
            "description": "an error with a code",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        paths.setdefault(path, {})[method.lower()] = {
            "summary": _SUMMARIES[method, path],
            "parameters": [
                {"name": n, "in": "path", "required": True, "schema": {"type": "string"}}
                for n in names
            ]
            + [
                {"name": n, "in": "query", "schema": {"type": "string"}}
                for n in QUERY.get((method, path), ())
            ],
            "responses": {"200": {"description": "done"}, "default": error},
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice", "version": "1"},
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
        "paths": paths,
    }
