"""CommonMark to clean HTML: what an editor writes can neither run nor call home in a reader's browser."""

from collections.abc import Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

_TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong",
    "ul",
}  # fmt: skip


def to_html(markdown: str) -> str:
    """Renders CommonMark; raw HTML in it becomes text, and only harmless tags and links are left."""
    return nh3.clean(
        _RENDERER.render(markdown),
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _alternative_text(
    _renderer: RendererProtocol, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Stands in for an image, which would be fetched from elsewhere and tell who reads (a tracking pixel)."""
    return nh3.clean_text(tokens[at].content)


_RENDERER = MarkdownIt("commonmark", {"html": False})
_RENDERER.add_render_rule("image", _alternative_text)
