"""The blocks of hooks: `alertmanager` says what alerts may do to which rollouts, `flagger` opens the door of its gates.

Pure. An alert may pause or roll back what its labels match and nothing else, so there are no other words here.
"""

from typing import Annotated, Literal

from pydantic import Field

from bot.settings.block import Block
from bot.settings.fields import choice
from bot.settings.names import AlertLabel, SecretText, Text

Action = Annotated[Literal["rollback", "pause"], choice("rollback", "pause")]


class AlertmanagerBlock(Block):
    """What `POST /hooks/alertmanager/{token}` does."""

    token: SecretText
    """The end of the hook's address. It opens nothing else."""
    service_label: AlertLabel = "rollout_service"
    environment_label: AlertLabel = "rollout_environment"
    namespace_label: AlertLabel = "namespace"
    severity_label: AlertLabel = "severity"
    actions: dict[Text, Action] = Field(default={"critical": "rollback", "warning": "pause"})
    """By severity; what is not listed does nothing."""


class FlaggerBlock(Block):
    """What `POST /hooks/flagger/{gate}/{token}` does."""

    token: SecretText
    """The end of the hooks' addresses. It opens nothing else."""
