"""The Grafana dashboard asks for metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pinakes.api.metrics import FAMILIES

DASHBOARD = Path(__file__).resolve().parents[2] / "config" / "grafana.json"


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"pinakes_\w+", target["expr"])
    }
    assert len(asked) > 10
    known = {family.name for family in FAMILIES}
    given = known | {f"{name}{end}" for name in known for end in ("_bucket", "_count", "_sum", "_total")}
    assert not asked - given
