"""How much an item may hold, whichever way it comes in; the tables' CHECK constraints allow no more.

A title also has a limit in bytes, because it stands in an index whose entries hold 2,700 bytes.
"""

from __future__ import annotations

MAX_NAME = 255
MAX_TAGS = 1000
MAX_TITLE = 2000
MAX_TITLE_BYTES = 2600
MAX_JSON_DEPTH = 100
MAX_JSON_BYTES = 1_000_000
"""Of `item_metadata` and of `path_thumbs_alt_res`, each, as JSON text without spaces."""
