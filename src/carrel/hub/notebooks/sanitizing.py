"""Untrusted HTML made inert.

An allow-list: what is not named here is dropped. There is no ``style`` (attribute or element), no form control, no
frame, no SVG or MathML (the two namespaces whose parsing differs from HTML's), no class but those of our own code
colours, no URL but ``http``, ``https`` and ``mailto`` links, fragments, and images inside the document.
"""

from __future__ import annotations

import re

import nh3

from carrel.hub.notebooks.highlighting import HIGHLIGHT_CLASSES

_TAGS = set(
    """
    a abbr b bdi bdo blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure
    h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp section small span strong sub summary sup
    table tbody td tfoot th thead time tr u ul var wbr
    """.split()
)
_DROPPED_WITH_CONTENT = set(
    """
    script style template noscript iframe object embed applet svg math title textarea select button xmp noembed
    noframes plaintext head video audio canvas frameset
    """.split()
)
_ATTRIBUTES = {
    "*": {"id", "title", "lang", "dir"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "headers", "align"},
    "th": {"colspan", "rowspan", "headers", "scope", "align"},
    "ol": {"start", "reversed"},
    "li": {"value"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
    "time": {"datetime"},
}
_CLASSES = {"span": set(HIGHLIGHT_CLASSES) | {"math"}, "div": {"math"}, "table": {"dataframe"}, "a": {"external-image"}}
_LINK = re.compile(r"(?:https?://|mailto:|#)", re.IGNORECASE)
# SVG in an <img> runs no script and loads nothing.
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml)[;,]", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}%?\Z")
_ANCHOR = re.compile(r"[^\s\"'<>]{1,200}\Z")
_PATTERNS = {
    "href": _LINK,
    "src": _DATA_IMAGE,
    "id": _ANCHOR,
    **dict.fromkeys(("width", "height", "colspan", "rowspan", "span", "start", "value"), _NUMBER),
}
_FRAGMENT_LINK = re.compile(r'<a((?: [a-z]+="[^"]*")*?) href="#([^"]*)"((?: [a-z]+="[^"]*")*?) target="_blank"')
_IMAGE = re.compile(r'<img((?: [a-z]+="[^"]*")*)>')


def _filter(tag: str, attribute: str, value: str) -> str | None:
    value = value.replace("<", "‹")  # so that "<" in the result always starts a tag: _finished counts on it
    pattern = _PATTERNS.get(attribute)
    return value if pattern is None or pattern.match(value) else None


def _cleaner(id_prefix: str | None) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=_filter,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow",
        allowed_classes=_CLASSES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        id_prefix=id_prefix,
    )


_PREFIX = "text-"
_IN_FRAME = _cleaner(None)
_IN_PAGE = _cleaner(_PREFIX)


def sanitize(html: str) -> str:
    """Return *html* with nothing active left in it, for a document of its own in a sandboxed frame.

    Links open in a new tab, links to a fragment in the frame.
    """
    return _finished(_IN_FRAME.clean(html), "")


def sanitize_for_page(html: str) -> str:
    """Return *html* with nothing active left in it, for a place in one of the hub's own pages.

    Every ``id`` gets a prefix, so that none takes the name of one of the page's.
    """
    return _finished(_IN_PAGE.clean(html), _PREFIX)


def _finished(html: str, prefix: str) -> str:
    html = _FRAGMENT_LINK.sub(rf'<a\1 href="#{prefix}\2"\3', html)
    if "<img" in html:
        html = _IMAGE.sub(_image, html)
    if "<table" in html:  # a wide table scrolls in a block that the keyboard reaches
        html = html.replace("<table", '<div class="scroll" tabindex="0"><table').replace("</table>", "</table></div>")
    return html


def _image(match: re.Match[str]) -> str:
    attributes = match[1]
    if ' src="' not in attributes:
        return ""
    return match[0] if ' alt="' in attributes else f'<img{attributes} alt="">'
