"""The frequency laws, against the data they were fitted to and against what a gallery shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pinakes.bench.generator import law
from pinakes.bench.generator.gallery import DEFAULT_MEAN_TAGS, Batch, Gallery

ITEMS = 50_000


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery(7)


@pytest.fixture(scope="module")
def batch(gallery: Gallery) -> Batch:
    return gallery.batch(0, ITEMS)


def _exponent(shares: NDArray[np.float64], first: int, last: int) -> float:
    """The Zipf exponent of ranks `first` to `last`, every rank of a logarithmic grid counting alike."""
    rank = np.unique(np.geomspace(first, last, 200).astype(int))
    return -float(np.polyfit(np.log(rank), np.log(shares[rank - 1]), 1)[0])


def test_tag_law_has_the_stated_exponents() -> None:
    shares = law.tag_share(np.arange(1, 140_001, dtype=np.float64))

    assert _exponent(shares, 1, 100) == pytest.approx(0.6, abs=0.06)
    assert _exponent(shares, 10, 1_000) == pytest.approx(0.9, abs=0.06)
    assert _exponent(shares, 100, 10_000) == pytest.approx(1.3, abs=0.06)
    assert shares.sum() == pytest.approx(1, abs=0.001)


def test_tag_law_is_within_its_stated_error_of_the_data(shared_data: Path) -> None:
    counts = np.loadtxt(shared_data / "booru-tag-counts.csv", delimiter=",", skiprows=1)[:, 1]
    shares = counts / counts.sum()
    error = np.abs(np.log(law.tag_share(np.arange(1, len(counts) + 1, dtype=np.float64)) / shares))

    limits = {10: 0.102, 100: 0.052, 1_000: 0.029, 10_000: 0.017, 100_000: 0.028, len(counts): 0.049}
    start = 0
    for stop, limit in limits.items():
        assert np.sqrt(np.mean(error[start:stop] ** 2)) < limit, f"ranks {start + 1} to {stop}"
        start = stop
    assert error.max() < 0.2


def test_generated_tags_follow_the_law(gallery: Gallery, batch: Batch) -> None:
    size = len(gallery.vocabulary)
    wanted = law.tag_shares(size) * DEFAULT_MEAN_TAGS * ITEMS
    seen = np.bincount(batch.tags, minlength=size)

    # Chance alone makes counts differ by their square root; ties of twins and rounding add 3 %.
    assert np.all(np.abs(seen - wanted) < 5 * np.sqrt(wanted) + 0.03 * wanted)
    for start, stop in ((0, 10), (10, 100), (100, 1_000), (1_000, size)):
        assert seen[start:stop].sum() == pytest.approx(wanted[start:stop].sum(), rel=0.02)


@pytest.mark.parametrize("tags", [3_000, 20_000])
def test_every_vocabulary_size_is_calibrated_to_the_law(tags: int) -> None:
    expected = Gallery(1, tags=tags).mixture.expected

    assert expected / (law.tag_shares(tags) * DEFAULT_MEAN_TAGS) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("mean_tags", [5.0, 12.0, 16.0])
def test_mean_number_of_tags_is_as_asked(mean_tags: float) -> None:
    batch = Gallery(3, mean_tags=mean_tags).batch(0, 20_000)

    assert len(batch.tags) / 20_000 == pytest.approx(mean_tags, rel=0.03)


def test_users_have_a_heavy_tail(batch: Batch) -> None:
    counts = np.sort(np.bincount(batch.creator))[::-1]
    counts = counts[counts > 0]

    assert counts[:10].sum() > 0.25 * ITEMS
    assert np.median(counts) < 20
    assert 0.7 * law.users_at(ITEMS) < len(counts) <= law.users_at(ITEMS)


def test_gallery_grows_denser_over_about_three_years(batch: Batch) -> None:
    created = np.sort(batch.created)
    years = (created[-1] - created[0]) / 1e6 / 86_400 / 365.25

    assert 2.8 < years < 3.2
    half = (created[0] + created[-1]) // 2
    assert (created < half).sum() < 0.2 * ITEMS
    assert np.corrcoef(np.argsort(batch.created), np.arange(ITEMS))[0, 1] > 0.99
