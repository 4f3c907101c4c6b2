"""The report: tables and plots of one or several results, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from jinja2 import Environment, StrictUndefined

from pinakes.bench.refreshes import projection
from pinakes.bench.report.grids import milliseconds
from pinakes.errors import SettingsError

_PAPER = "#fbfaf7"


def merged(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several results as one, by size; what was measured when stays with each size."""
    first = results[0]
    scales = []
    for result in results:
        about = {name: result[name] for name in ("began", "load", "revision", "plan", "machine")}
        scales += [{**scale, "about": about} for scale in result["scales"]]
    scales.sort(key=lambda scale: scale["gallery"]["items"])
    return {**first, "projection": projection(scales), "scales": scales}


def report(results: Sequence[dict[str, Any]]) -> str:
    """The page.

    Raises:
        SettingsError: matplotlib is not installed.
    """
    whole = merged(results)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["ms"] = milliseconds
    text = (files("pinakes.bench.report") / "report.html").read_text(encoding="utf-8")
    return environment.from_string(text).render(whole=whole, scales=whole["scales"], drawn=_drawn(whole))


def pictures(results: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The plots alone, name -> SVG with a background of its own, for other pages.

    Raises:
        SettingsError: matplotlib is not installed.
    """
    found: dict[str, str] = {}
    for name, drawn in _drawn(merged(results)).items():
        if isinstance(drawn, dict):
            found |= {f"{name}-{items}": svg for items, svg in drawn.items()}
        elif drawn is not None:
            found[name] = drawn
    return {
        name.replace("_", "-"): svg.replace("<svg ", f'<svg style="background:{_PAPER}" ', 1)
        for name, svg in found.items()
    }


def _drawn(whole: dict[str, Any]) -> dict[str, Any]:
    """Every plot there is something to draw for; those of one size by its items."""
    if find_spec("matplotlib") is None:
        raise SettingsError("Plots need matplotlib.", hint="Install the extra: pinakes[bench].")
    from pinakes.bench.report import plots  # noqa: PLC0415 - only now is it known to be importable

    scales = whole["scales"]
    refreshed = any("refreshes" in scale for scale in scales)
    return {
        "distribution": {scale["gallery"]["items"]: plots.distribution(scale) for scale in scales},
        "by_kind": {scale["gallery"]["items"]: plots.by_kind(scale) for scale in scales},
        "by_place": {scale["gallery"]["items"]: plots.by_kind(scale, "place") for scale in scales},
        "writes": {scale["gallery"]["items"]: plots.write_rates(scale) for scale in scales if "writes" in scale},
        "refreshes": plots.refresh_curve(scales, whole["projection"]) if refreshed else None,
        "sizes": plots.sizes(scales),
        "over_scale": plots.over_scale(scales) if len(scales) > 1 else None,
    }
