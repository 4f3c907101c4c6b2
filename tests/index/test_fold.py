"""Folding in bounded pieces: the applier has its turn, and a fold killed after any commit leaves all answers right."""

from __future__ import annotations

import asyncio
from random import Random

from galleries import Gallery
from index_gear import Gear, fold_and_die, put, remove, sample
from pinakes.index.fold import TURN, fold, fold_range, waiting
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item
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


async def scribble(gear: Gear, held: dict[tuple[int, int], Item], random: Random) -> None:
    """One epoch: some items change, one goes, one comes back."""
    others = sample(40, random.randint(2, 1000)).items
    for item in random.sample(others, 3):
        await put(gear.pool, item)
        held[item.key] = item
    gone = held.pop(random.choice(sorted(held)))
    await remove(gear.pool, gone)
    await gear.apply()


QUESTIONS = (
    GalleryQuery(viewer=1),
    GalleryQuery(search_term="sea", sort_field="title"),
    GalleryQuery(min_quality=0.5, sort_field="quality_score", page_size=5, page=2),
)


async def test_a_fold_that_dies_after_any_commit_leaves_every_answer_right(pool: Pool, settings: Settings) -> None:
    """Readers that knew everything, one that knows nothing, and a check, after each commit; then the next epoch."""
    random = Random(4)
    async with session(settings) as keeper:
        gear = Gear(pool, settings, keeper)
        begun = sample(40)
        held = {item.key: item for item in begun.items}
        await gear.begin(begun)
        for _ in range(2):
            await scribble(gear, held, random)
        slept = Gear(pool, settings, keeper)
        died = 0
        for commits in range(1, 200):
            folded = await fold_and_die(gear, commits)
            gallery = Gallery(tuple(held.values()))
            for reader in (gear, slept, Gear(pool, settings, keeper)):
                for query in QUESTIONS:
                    await reader.check(query, gallery)
            await gear.verify()
            if folded is not None:
                break
            died += 1
            if commits % 8 == 0:
                await scribble(gear, held, random)
        assert died > 20
        left = await waiting(keeper)
        assert left is not None
        assert left.epochs == 0


async def test_a_fold_takes_a_bounded_range_and_each_is_progress(pool: Pool, settings: Settings) -> None:
    async with session(settings) as keeper:
        gear = Gear(pool, settings, keeper)
        held = {item.key: item for item in sample(40).items}
        await gear.begin(sample(40))
        for turn in range(4):
            await scribble(gear, held, Random(turn))
        for left in (3, 2, 1, 0):
            assert await fold_range(keeper, most=1) is not None
            found = await waiting(keeper)
            assert found is not None
            assert found.epochs == left
            await gear.verify()
        assert await fold_range(keeper, most=1) is None


async def test_no_fold_touches_an_index_that_was_exchanged_meanwhile(pool: Pool, settings: Settings) -> None:
    """The generation is retired and swept after the fold's first commit."""
    async with session(settings) as keeper:
        gear = Gear(pool, settings, keeper)
        held = {item.key: item for item in sample(40).items}
        await gear.begin(sample(40))
        await scribble(gear, held, Random(1))
        await fold_and_die(gear, 1)
        old = await pool.fetchval("SELECT generation FROM index_generation WHERE status = 'live'")
        await gear.build()
        assert await pool.fetchval("SELECT count(*) FROM term_segment WHERE generation = $1", old) == 0
        await gear.check(QUESTIONS[0], Gallery(tuple(held.values())))
        await gear.verify()


async def test_two_folders_take_turns(pool: Pool, settings: Settings) -> None:
    async with session(settings) as keeper, session(settings) as other:
        gear = Gear(pool, settings, keeper)
        held = {item.key: item for item in sample(40).items}
        await gear.begin(sample(40))
        for turn in range(3):
            await scribble(gear, held, Random(turn))
        await asyncio.gather(*(fold(each, most=1, batch=3) for each in (keeper, other)))
        await fold(keeper)
        await gear.verify()
