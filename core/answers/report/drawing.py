"""Altair charts as SVG that takes the colour of the text around it."""

import json
import re
from hashlib import sha256
from typing import Any

INK = "currentColor"
FAINT = "#88888855"
STYLE = {
    "background": "transparent",
    "font": "Helvetica, Arial, sans-serif",
    "padding": {"left": 14, "right": 14, "top": 5, "bottom": 5},
    "legend": {"labelColor": INK, "titleColor": INK},
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": FAINT,
        "domainColor": FAINT,
        "tickColor": FAINT,
        "labelFontSize": 11,
        "titleFontWeight": "normal",
    },
}


def svg(chart: Any, width: int = 560) -> str:
    """Return a chart as an SVG element of at most ``width`` pixels, whose ids are no other chart's."""
    import vl_convert

    spec = chart.properties(width=width).to_dict()
    spec["config"] = {**spec.get("config", {}), **STYLE}
    drawn = str(vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[]))
    own = sha256(drawn.encode()).hexdigest()[:8]
    return re.sub(r'(\bid="|url\(#)', rf"\g<1>{own}-", drawn)
