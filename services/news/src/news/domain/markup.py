"""CommonMark to clean HTML: what an editor writes can neither run nor call home in a reader's browser."""

import re
from typing import Final

import nh3
from markdown_it import MarkdownIt

_TAGS: Final = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre",
    "span", "strong", "ul",
}  # fmt: skip
DOCUMENT: Final = "document:"
"""The scheme of images: one of our own documents by its id, which the reader's program fetches as the reader."""
_NODE_ID: Final = re.compile(re.escape(DOCUMENT) + r"[A-Za-z0-9._-]{1,64}")
_RENDERER: Final = MarkdownIt("commonmark", {"html": True})
# markdown-it leaves out links of schemes that it does not know; which are harmless is decided here alone.
_RENDERER.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
# What is left of an image without a source.
_IMAGE: Final = re.compile(r'<img(?: alt="([^"]*)")?>')


def to_html(markdown: str) -> str:
    """Renders CommonMark; of raw HTML in it harmless tags, links and colours are left.

    An image from elsewhere tells who reads when (a tracking pixel), so it becomes its alternative text.
    """
    clean = nh3.clean(
        _RENDERER.render(markdown),
        tags=_TAGS,
        clean_content_tags={"script", "style"},
        attributes={"a": {"href"}, "ol": {"start"}, "img": {"src", "alt"}, "span": {"style"}},
        attribute_filter=_attribute,
        filter_style_properties={"color", "background-color"},
        url_schemes={"http", "https", "mailto", "document"},
        link_rel="noopener noreferrer nofollow",
    )
    return _IMAGE.sub(lambda image: image[1] or "", clean)


def _attribute(_tag: str, name: str, value: str) -> str | None:
    if name == "src":
        return value if _NODE_ID.fullmatch(value) else None
    if name == "href" and value.strip().lower().startswith(DOCUMENT):
        return None
    return value
