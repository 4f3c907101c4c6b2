"""The process that reads a file: `python -m pinakes.store.transfer.reading FILE FIRST_LINE NAME`.

It writes pickled `Batch`es to its standard output, each after its length. An import waits for the first
of them, so nothing is imported here that is not needed for reading: numpy, pydantic and asyncio would
double the time it takes to start.
"""

from __future__ import annotations

import gc
import pickle
import sys
from pathlib import Path

from pinakes.store.transfer.batch import batches

# Bytes of the number before each batch.
LENGTH = 8


def main() -> None:
    """The reading process."""
    # Nothing here is a cycle; looking for some cost a tenth of the time.
    gc.disable()
    path, first_line, name = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    out = sys.stdout.buffer
    try:
        for batch in batches(path, first_line, name):
            frame = pickle.dumps(batch, protocol=5)
            out.write(len(frame).to_bytes(LENGTH, "big"))
            out.write(frame)
            out.flush()
    except BrokenPipeError:
        # The importer is gone, perhaps killed: nobody is left to read for.
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
