"""A job: its inputs are as they were written, its words go to a log, its outputs are sealed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hepatoclr import files, logs


@contextmanager
def running(log: str | Path, reads: Iterable[str], writes: Iterable[str]) -> Iterator[None]:
    """Run the block as a job.

    Args:
        log: See `logs.to_file`.
        reads: Its input files. One that is not as an earlier job left it ends this job before it
            begins, see `files.check`.
        writes: Its output files, sealed when the block ends well.
    """
    with logs.to_file(log):
        files.check(reads)
        yield
        files.seal(writes)
