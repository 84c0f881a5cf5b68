"""How taking text out of a file ends when it does not end well."""

from document.domain.extraction import Outcome


class Failed(Exception):
    """The file is not one that can be read; the outcome says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class Enough(Exception):
    """There is more text than is wanted."""


class Gathered:
    """The text so far, as long as it is wanted; a paragraph, cell or page ends with `end`."""

    def __init__(self, most: int) -> None:
        self._pieces: list[str] = []
        self._left = most

    def add(self, piece: str) -> None:
        """Raises:
        Enough: that was the last of it.
        """
        self._pieces.append(piece[: self._left])
        self._left -= len(piece)
        if self._left <= 0:
            raise Enough

    def end(self) -> None:
        self.add("\n")

    @property
    def text(self) -> str:
        return "".join(self._pieces)
