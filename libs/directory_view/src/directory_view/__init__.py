"""The compiled read-only view of the directory that every service holds.

`View` is the pure index, `DirectoryFeed` keeps one up to date from the directory's streams, and
`parse` reads audience expressions. Nothing here writes; libs/messaging reads the streams.
"""

from pyroaring import BitMap as Bitmap

from directory_view.audience import Expression, parse
from directory_view.feed import DirectoryFeed
from directory_view.view import DEFAULT_LOCALE, Change, View

__all__ = ["DEFAULT_LOCALE", "Bitmap", "Change", "DirectoryFeed", "Expression", "View", "parse"]
