"""Argo Rollouts (`argoproj.io/v1alpha1 Rollout`): its steps and pauses are followed, its own verbs carry our orders."""

from integrations.controllers.argo.controller import ArgoController

__all__ = ["ArgoController"]
