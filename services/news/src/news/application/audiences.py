"""Whom a post is for: evaluated on the directory view, or as it was frozen."""

from directory_view import Bitmap, View, parse

from news.domain.content import AudienceKind
from news.domain.post import Live


class Audiences:
    """Evaluates audience expressions; a live one once for each state of the directory, however many posts use it."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._version = -1
        self._live: dict[str, Bitmap] = {}

    @staticmethod
    def canonical(expression: str) -> str:
        """The one form of all expressions that say the same; raises Invalid."""
        return str(parse(expression))

    def evaluate(self, expression: str) -> Bitmap:
        """The people whom it means now; the caller's own. Raises Invalid."""
        return self._view.audience(expression)

    @property
    def everybody(self) -> int:
        """How many people there are."""
        return self._view.people_count

    def of(self, live: Live) -> Bitmap:
        """The readers of a published version: frozen, or as the directory has them now; not to be changed."""
        if live.content.audience_kind is AudienceKind.FROZEN:
            return live.people
        if self._version != self._view.version:
            self._version = self._view.version
            self._live.clear()
        expression = live.content.audience
        if expression not in self._live:
            self._live[expression] = self._view.audience(expression)
        return self._live[expression]

    def working(self, live: Live) -> Bitmap:
        """The readers who still work here; the caller's own."""
        return self.of(live) & self._view.audience("all")
