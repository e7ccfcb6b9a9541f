"""Colours of heat maps: blue below, orange above, told apart by the colour-blind and in print.

The ends are about equally dark, so a field of them also has a mark or a sign, which grey keeps.
"""

from __future__ import annotations

FAR_BELOW, WELL_BELOW, BELOW = "#2f6da8", "#8fb8da", "#d6e5f1"
ABOUT = "#f5f6f7"
ABOVE, WELL_ABOVE, FAR_ABOVE = "#fbe3cd", "#eeb07a", "#b9540f"
SHADES = (FAR_BELOW, WELL_BELOW, BELOW, ABOUT, ABOVE, WELL_ABOVE, FAR_ABOVE)
UP, DOWN = "▲", "▼"
