"""Folding gives way: the applier, in the same process, has its turn all along."""

from __future__ import annotations

import asyncio

from index_gear import Gear, sample
from pinakes.index.fold import TURN, fold
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.view.session import session


async def test_others_have_their_turn_while_many_terms_are_folded(pool: Pool, settings: Settings) -> None:
    async with session(settings) as keeper:
        gear = Gear(pool, settings, keeper)
        await gear.begin(sample(60))
        await pool.execute(
            "INSERT INTO content_items (title, prompt, creator_id)"
            " SELECT n, 'word' || n || ' other' || n || ' third' || n, 1 FROM generate_series(1, 400) AS n"
        )
        await gear.apply()
        turns, folding = 0, True

        async def count() -> None:
            nonlocal turns
            while folding:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        folded = await fold(keeper)
        folding = False
        await counting
        assert folded is not None
        assert folded.segments > 1200
        assert turns >= folded.segments // TURN
        await gear.verify()
