"""What bitmap algebra alone costs, in memory: total and window of mixed queries over one synthetic gallery.

    python -m pinakes.bench.bitmaps --docs 10000000 --queries 400

Corpus: `docs` documents in order of creation; 20,000 tags, tag r on `docs` · 0.25 / (r + 3)^0.9 of
them, placed at random (the worst case for roaring); 5 % private; a tenth of the scores missing, a
fifth equal; titles and scores unrelated to the document number. A bitmap is made when first asked
for, outside the clock. Warm figures only; PostgreSQL takes no part.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from random import Random

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.codes import SortCode, cut_code, fill
from pinakes.bitmap.evaluate import evaluate
from pinakes.bitmap.segments import size_of
from pinakes.bitmap.terms import ORDER_FIELDS, OrderField
from pinakes.bitmap.window import SPARE, Windows
from pinakes.query import formula as f
from pinakes.query.formula import Formula, Term
from pinakes.query.gallery_query import SORT_FIELDS, visible_to

TAGS = 20_000
CREATORS = 50_000


class SyntheticSource:
    """Bitmaps of the corpus, made on demand from their names."""

    def __init__(self, docs: int) -> None:
        self.docs = docs
        self.bitmaps: dict[str, BitMap] = {terms.ALL: BitMap(range(docs))}
        self.codes: dict[OrderField, SortCode] = {}
        rng = np.random.default_rng(1)
        for field in ORDER_FIELDS:
            self._ladder(field, self._keys(field, rng))
        private = BitMap(np.flatnonzero(rng.random(docs) < 0.05).astype(np.uint32))
        self.bitmaps |= {"vis:private": private, "vis:public": self.bitmaps[terms.ALL] - private}
        regular = BitMap(np.flatnonzero(rng.random(docs) < 0.6).astype(np.uint32))
        self.bitmaps |= {"source:1": regular, "source:2": self.bitmaps[terms.ALL] - regular}

    def bitmap(self, term: str) -> BitMap:
        """The documents with `term`."""
        found = self.bitmaps.get(term)
        if found is None:
            found = self.bitmaps[term] = self._scattered(term)
        return found

    def require(self, names: Iterable[str]) -> None:
        """Makes nothing: missing bitmaps are made one by one."""

    def code(self, field: OrderField) -> SortCode:
        """The code of `field`."""
        return self.codes[field]

    def filling(self, field: OrderField) -> tuple[int, ...]:
        """As the code was cut."""
        return self.codes[field].filling

    def patience(self, field: OrderField) -> int:
        """None: all terms are here."""
        return 0

    def strained(self, field: OrderField) -> None:
        """Never."""

    def _keys(self, field: OrderField, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        if field in {"created_at", "key"}:
            return np.arange(self.docs, dtype=np.float64)
        keys = rng.random(self.docs)
        if field == "updated_at":
            return np.where(keys < 0.9, np.arange(self.docs), keys * self.docs)
        if field == "quality_score":
            chosen = rng.random(self.docs)
            keys[chosen < 0.2] = 0.5
            keys[chosen > 0.9] = np.nan
        return keys

    def _ladder(self, field: OrderField, keys: npt.NDArray[np.float64]) -> None:
        valued = np.flatnonzero(~np.isnan(keys))
        if len(valued) < self.docs:
            self.bitmaps[terms.null(field)] = BitMap(np.flatnonzero(np.isnan(keys)).astype(np.uint32))
        code = cut_code(np.sort(keys[valued]))
        codes = code.many(keys[valued])
        self.codes[field] = fill(code, codes)
        docs = valued.astype(np.uint32)
        for k in range(1, terms.STEPS):
            self.bitmaps[terms.step(field, k)] = BitMap(docs[codes < k * (65_536 // terms.STEPS)])
        for bit in range(terms.SLICES):
            self.bitmaps[terms.slice_(field, bit)] = BitMap(docs[codes >> bit & 1 == 1])
        bands = codes >> terms.SLICES
        for number in range(terms.BANDS):
            self.bitmaps[terms.band(field, number)] = BitMap(docs[bands == number])
        for bitmap in self.bitmaps.values():
            bitmap.run_optimize()

    def _scattered(self, term: str) -> BitMap:
        field, _, value = term.partition(":")
        if field == "tag":
            count = int(self.docs * 0.25 / (int(value) + 3) ** 0.9)
        else:
            count = int(self.docs * 0.1 / (int(value) + 1))
        rng = np.random.default_rng(abs(hash((field, int(value)))) % 2**32)
        return BitMap(rng.integers(0, self.docs, count).astype(np.uint32))


def random_formula(random: Random) -> tuple[str, Formula]:
    """A query of the mix, and the kind it belongs to."""

    def tags(count: int) -> list[Formula]:
        return [Term("tag", int(TAGS ** random.random()) - 1) for _ in range(count)]

    kind = random.choice(("nothing", "one", "all", "any", "none", "mixed"))
    viewer = random.choice((None, None, random.randrange(1, CREATORS)))
    parts: list[Formula] = [visible_to(viewer)]
    if kind in {"one", "all", "mixed"}:
        parts += tags(1 if kind == "one" else random.randint(2, 4))
    if kind in {"any", "mixed"}:
        parts.append(f.disj(tags(random.randint(2, 8))))
    if kind in {"none", "mixed"}:
        parts += map(f.negate, tags(random.randint(1, 3)))
    if random.random() < 0.2:
        parts.append(Term("source", 1))
    return kind, f.conj(parts)


def main(arguments: list[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=int, default=10_000_000)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--spare", type=int, default=SPARE)
    options = parser.parse_args(arguments)
    source = SyntheticSource(options.docs)
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    sizes: list[int] = []
    random = Random(7)
    for _ in range(options.queries):
        kind, formula = random_formula(random)
        field, order = random.choice(SORT_FIELDS), random.choice(("asc", "desc"))
        where = random.choice(("first", "last", "random"))
        hits = evaluate(formula, source).possible
        total = len(hits)
        start = {"first": 0, "last": max(total - 25, 0), "random": random.randrange(max(total, 1))}[where]
        best = [float("inf")] * 2
        for _ in range(3):
            began = time.perf_counter()
            hits = evaluate(formula, source).possible
            middle = time.perf_counter()
            found = Windows(source, hits, field, order, spare=options.spare).around(range(start, start + 25))  # type: ignore[arg-type]
            best = [min(best[0], middle - began), min(best[1], time.perf_counter() - middle)]
        sizes.append(len(found.docs))
        for key in (("all", "total"), (kind, "total"), (where, "total"), (field, "total")):
            spent[key].append(sum(best))
        spent["all", "evaluate"].append(best[0])
        spent["all", "window"].append(best[1])
    out = sys.stdout
    out.write(
        f"{options.docs:,} docs, {options.queries} queries; window p50 {int(np.median(sizes))} max {max(sizes)}\n"
    )
    out.write(f"{'':24}{'n':>6}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'max':>9}\n")
    for (what, stage), times in sorted(spent.items()):
        p50, p95, p99, worst = np.percentile(np.asarray(times) * 1e3, (50, 95, 99, 100))
        out.write(f"{what + ' ' + stage:24}{len(times):6}{p50:9.2f}{p95:9.2f}{p99:9.2f}{worst:9.2f}\n")
    for name in ORDER_FIELDS:
        held = sum(size_of(bitmap) for term, bitmap in source.bitmaps.items() if term.startswith((f"{name}<", f"{name}@", f"{name}#")))  # fmt: skip  # noqa: E501
        out.write(f"{name}: {held / options.docs:.2f} bytes a document\n")


if __name__ == "__main__":
    main()
