"""Flagger (`flagger.app/v1beta1 Canary`): its analysis is followed, and it fetches our orders at its gates."""

from integrations.controllers.flagger.controller import FlaggerController

__all__ = ["FlaggerController"]
