"""Small parts that pages are made of: icons, cell-type shapes, numbers."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from counting.dates import moment
from counting.retold import retold, retold_lines

register = template.Library()
register.filter("retold", retold)
register.filter("retold_lines", retold_lines)
register.filter("moment", moment)

# A cell type is told apart by shape as well as by color. static/js/lib/shapes.js has the same
# order; the drawings are in static/icons/icons.svg.
SHAPES = ("circle", "square", "triangle", "diamond", "hexagon", "cross", "down", "pentagon")


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return one of our icons; it is decoration, the words stand beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>',
        static("icons/icons.svg"),
        name,
    )


@register.simple_tag
def shape(position: int, color: str) -> SafeString:
    """Return a cell type's mark in its color (an attribute, since the CSP forbids styles)."""
    return format_html(
        '<svg class="shape" aria-hidden="true" color="{}"><use href="{}#shape-{}"></use></svg>',
        color,
        static("icons/icons.svg"),
        SHAPES[position % len(SHAPES)],
    )


@register.filter
def shape_name(position: int) -> str:
    """Return the name of the shape of the cell type at `position`."""
    return SHAPES[position % len(SHAPES)]


@register.filter
def percent(part: int, whole: int) -> int:
    """Return how many hundredths of `whole` the `part` is; 0 when there is nothing."""
    return round(100 * part / whole) if whole else 0
