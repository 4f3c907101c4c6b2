"""A generated gallery of any size: seeded, with the frequencies and company of tags that real ones have.

    law         how often: tags by rank, users by rank, growth over time
    themes      what about: themes and their scenes, which decide what tags can meet
    words       word lists          names       streams of names made from them
    vocabulary  rank -> tag         mixture     frequencies -> chances, scene by scene
    chance      random numbers as a function of seed, purpose and item
    prompts     titles and prompts  gallery     items, in batches or in the import format
    fill        the gallery into a database

docs/generator.md tells the laws and what they leave out.
"""

from pinakes.bench.generator.fill import FillReport, fill
from pinakes.bench.generator.gallery import Gallery

__all__ = ["FillReport", "Gallery", "fill"]
