"""`pinakes advise`, as somebody at a terminal has it."""

from __future__ import annotations

import orjson
import pytest
from click.testing import CliRunner

from api.application import Gallery
from pinakes.cli.main import main
from pinakes.settings import Settings


@pytest.mark.parametrize("more", [[], ["--probe"], ["--hours", "1"]])
def test_it_says_what_is_known_and_what_to_do(settings: Settings, gallery: Gallery, more: list[str]) -> None:
    where = ["--database-url", settings.database_url or "", "--redis-url", settings.redis_url or ""]
    told = CliRunner().invoke(main, ["advise", *where, *more])
    assert told.exit_code == 0, told.output
    assert "policy none, index off, cache hybrid" in told.stdout
    asked = CliRunner().invoke(main, ["advise", "--json", *where, *more])
    facts = orjson.loads(asked.stdout)["facts"]
    assert facts["source"] == ("probed" if "--probe" in more else "measured")
    assert (facts["answers"] is not None) == ("--probe" in more)
