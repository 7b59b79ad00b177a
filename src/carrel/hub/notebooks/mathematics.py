"""LaTeX as MathML, which browsers lay out without any script."""

from __future__ import annotations

from functools import lru_cache
from html import escape, unescape
from xml.etree.ElementTree import Element

_MAX_LENGTH = 2_000
# No <annotation-xml>, <maction>, <semantics> or links: nothing but layout.
_ELEMENTS = frozenset(
    """
    math mrow mi mn mo mtext mspace ms mfrac msqrt mroot mstyle merror mpadded mphantom mfenced menclose msub msup msubsup
    munder mover munderover mmultiscripts mprescripts none mtable mtr mtd mlabeledtr
    """.split()
)
_ATTRIBUTES = frozenset(
    """
    display displaystyle scriptlevel mathvariant stretchy fence separator form lspace rspace accent accentunder
    movablelimits largeop symmetric minsize maxsize linethickness columnalign rowspacing columnspacing rowlines columnlines
    notation width height depth voffset
    """.split()
)


@lru_cache(maxsize=512)
def to_mathml(latex: str, *, display: bool) -> str | None:
    """Return *latex* as a ``<math>`` element, or None if it is too long or is not understood.

    The converter's own serialisation is not safe for text of strangers (it undoes the escaping), so the tree is written
    here: known elements, known attributes, everything escaped.
    """
    if len(latex) > _MAX_LENGTH:
        return None
    from latex2mathml.converter import convert_to_element  # half a second of tables: only for who has formulas

    try:
        tree = convert_to_element(latex, display="block" if display else "inline")
        return _written(tree)
    except Exception:  # the converter fails on hostile input in every way there is, RecursionError and IndexError included
        return None


def _written(element: Element) -> str:
    # The converter escapes once into the tree: its "&#x0002B;" is the character.
    inside = escape(unescape(element.text or ""), quote=False) + "".join(_written(child) + _text(child.tail) for child in element)
    if element.tag not in _ELEMENTS:
        return f"<mrow>{inside}</mrow>" if len(element) else f"<mtext>{inside}</mtext>"
    attributes = "".join(f' {name}="{escape(str(value))}"' for name, value in element.attrib.items() if name in _ATTRIBUTES)
    return f"<{element.tag}{attributes}>{inside}</{element.tag}>"


def _text(text: str | None) -> str:
    return escape(unescape(text), quote=False) if text and text.strip() else ""
