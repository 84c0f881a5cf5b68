import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from news.domain.markup import to_html

ALLOWED = {"a", "blockquote", "br", "code", "em", "hr", "img", "li", "ol", "p", "pre", "span", "strong", "ul"} | {
    f"h{level}" for level in range(1, 7)
}
PIECES = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "![p](http://t/p.gif)",
    "[b](data:text/html,x)",
    "<a href='javascript:x'>",
    "`code`",
    "**b**",
    "\n\n# h\n",
    "- item\n",
    "[r]: http://x 'y'\n",
    "[r]",
    "<http://x>",
    "<javascript:alert(1)>",
    "\x00",
    "&lt;script&gt;",
    "<!--",
    "<style>",
    "<svg/onload=x>",
    "> q\n",
    "![foto](document:n1)",
    "<img src='document:n1' width=1>",
    "<span style='color:red;background:url(http://t)'>",
]


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def seen(html: str) -> list[tuple[str, dict]]:
    parser = Seen()
    parser.feed(html)
    parser.close()
    return parser.tags


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=12).map("".join))
def test_whatever_is_written_only_harmless_tags_come_out(markdown):
    for tag, attributes in seen(to_html(markdown)):
        assert tag in ALLOWED
        assert set(attributes) <= {"href", "rel", "start", "title", "alt", "src", "style"}
        assert tag != "img" or re.fullmatch(r"document:[A-Za-z0-9._-]{1,64}", attributes["src"])
        assert "url" not in attributes.get("style", "")
        scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", attributes.get("href") or "", re.IGNORECASE)
        assert scheme is None or scheme[1].lower() in {"http", "https", "mailto"}


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        (
            "# Aviso\n\n**já** [aqui](https://x.pt)",
            '<a href="https://x.pt" rel="noopener noreferrer nofollow">aqui</a>',
        ),
        ("<b>x</b>", "<p>x</p>"),
        ("a <script>alert(1)</script>", "<p>a </p>"),
        ("<img src='https://t.pt/pixel.gif' width=1 height=1>a", "a"),
        ("![um mapa](document:n1)", '<img src="document:n1" alt="um mapa">'),
        ('<span style="color:#777;position:fixed">c</span>', '<span style="color:#777">c</span>'),
        ("![um mapa](https://t.pt/pixel.gif)", "<p>um mapa</p>"),
        ("1. a\n2. b", "<ol>\n<li>a</li>"),
    ],
)
def test_markdown_becomes_html(markdown, html):
    assert html in to_html(markdown)
