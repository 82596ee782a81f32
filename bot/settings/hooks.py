"""The blocks of hooks: `alertmanager` says what alerts may do to which rollouts, `flagger` opens the door of its gates.

Pure. An alert may pause or roll back what its labels match and nothing else, so there are no other words here.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bot.settings.block import Block
from bot.settings.fields import choice, refuse_at
from bot.settings.names import PLACEHOLDER, AlertLabel, SecretText, Text

Action = Annotated[Literal["rollback", "pause"], choice("rollback", "pause")]


_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}", re.ASCII)
"""Of the end of an address: nothing in it is written another way there."""


class HookBlock(Block):
    """What all hooks have in common."""

    token: SecretText

    def fault(self) -> str:
        """Return what is wrong with the token, which is not repeated; one that is not filled in may be anything."""
        text = self.token.reveal()
        if PLACEHOLDER.search(text) or _TOKEN.fullmatch(text):
            return ""
        return (
            "This token is the end of an address: give it 16 or more letters, digits and signs of . _ ~ - "
            "(`openssl rand -hex 32` makes one)."
        )

    @model_validator(mode="after")
    def _can_be_an_end(self) -> Self:
        if sentence := self.fault():
            raise refuse_at(("token", "bad_hook_token", sentence))
        return self


class AlertmanagerBlock(HookBlock):
    """What `POST /hooks/alertmanager/{token}` does."""

    token: SecretText
    """The end of the hook's address. It opens nothing else."""
    service_label: AlertLabel = "rollout_service"
    environment_label: AlertLabel = "rollout_environment"
    namespace_label: AlertLabel = "namespace"
    severity_label: AlertLabel = "severity"
    actions: dict[Text, Action] = Field(default={"critical": "rollback", "warning": "pause"})
    """By severity; what is not listed does nothing."""

    @model_validator(mode="after")
    def _can_act(self) -> Self:
        labels = {
            name: getattr(self, name) for name in type(self).model_fields if name.endswith("_label")
        }
        faults = [
            (
                name,
                "contradiction",
                f"The label {label} is named twice here: each says something else.",
            )
            for name, label in labels.items()
            if list(labels.values()).count(label) > 1
        ]
        if not self.actions:
            sentence = (
                "Without actions no alert does anything: add one, or remove the block alertmanager."
            )
            faults.append(("actions", "empty_value", sentence))
        if faults:
            raise refuse_at(*faults)
        return self


class FlaggerBlock(HookBlock):
    """What `POST /hooks/flagger/{gate}/{token}` does."""

    token: SecretText
    """The end of the hooks' addresses. It opens nothing else."""
