"""How old the read model may be: one reading of `max-staleness-seconds` for all who ask."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from pinakes.errors import ReadModelNotReady, SettingsError
from pinakes.settings import Settings, load_settings
from pinakes.view.epoch import POLICIES, Epoch, Policy
from pinakes.view.reading import DEFAULT_STALENESS_S, followed_staleness_s, max_staleness_s, require_young


def state_of(policy: Policy) -> Epoch:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    return Epoch(uuid4(), 1, now, 1, policy, policy, None, now, None, now)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seconds", [0.0, 0.5, 30.0, 604_800.0])
def test_what_is_set_is_meant_by_all_and_zero_is_zero(policy: Policy, seconds: float) -> None:
    settings = Settings().model_copy(update={"max_staleness_seconds": seconds})
    assert followed_staleness_s(settings) == max_staleness_s(settings, state_of(policy)) == seconds
    require_young(seconds, seconds)
    with pytest.raises(ReadModelNotReady):
        require_young(seconds + 0.001, seconds)


def test_unset_is_the_default_and_zero_cannot_be_set() -> None:
    settings = Settings()
    assert followed_staleness_s(settings) == max_staleness_s(settings, state_of("incremental")) == DEFAULT_STALENESS_S
    with pytest.raises(SettingsError, match="max-staleness-seconds"):
        load_settings(max_staleness_seconds=0)
