"""A text that must not be seen: it prints as `***` and has to be asked for by name.

Pure. Everything that could end up in a log (repr, str, format, pickle) shows the mask.
"""


class Secret:
    """A token, a signing secret, a webhook secret."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; call it only where it is sent or compared."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("A secret is not pickled.")
