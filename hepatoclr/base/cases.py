"""What becomes of a case that cannot be used: it is excluded, with its reason."""

import errno
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hepatoclr.base import files, logs
from hepatoclr.base.errors import BadCase, UserError

log = logging.getLogger(__name__)

EXCLUDED = "excluded"
TRIES = 2  # one death may be the machine's
# steps of a cohort's table at which the configuration excludes a case
LABEL, PATIENT = "label", "patient"
BY_CONFIGURATION = (LABEL, PATIENT)


@contextmanager
def exclude_on_error(
    stage: str,
    case: str,
    outputs: Sequence[str],
    facts: str,
    on_bad_case: str,
) -> Iterator[None]:
    """Run a stage of one case; if the case cannot be used, record the reason and end well.

    A case excluded leaves empty outputs, and `{"excluded": reason, "stage": stage}` as its
    facts; later stages hand both on.

    Args:
        stage: The stage.
        case: The case, as the user knows it.
        outputs: Files of the stage other than its facts.
        facts: Its JSON file of facts.
        on_bad_case: "exclude", or "stop" to end with the reason as the message.
    """
    try:
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in logs.USER_ERRORS:
                raise
            log.exception("%s failed", stage)
            raise BadCase(f"{stage} failed ({type(error).__name__}; its log has more).") from error
    except BadCase as error:
        if on_bad_case == "stop":
            raise UserError(
                f"case {case}: {error} (on_bad_case is stop; exclude goes on without the case)"
            ) from error
        log.warning("case %s is excluded: %s", case, error)
        for output in outputs:
            Path(output).parent.mkdir(parents=True, exist_ok=True)
            Path(output).write_bytes(b"")
        reason = {EXCLUDED: str(error), "stage": error.stage or stage}
        files.write_json({**reason, **error.facts}, facts)


def require(facts: str | Path) -> dict:
    """Read the facts of an earlier stage.

    Raises:
        BadCase: That stage, or one before it, excluded the case; with its reason.
    """
    found = files.read_json(facts)
    if EXCLUDED in found:
        raise BadCase(found[EXCLUDED], stage=found["stage"])
    return found


def tally(steps: Iterable[str]) -> str:
    """Say in one line how many cases are used, and where the others were excluded.

    Args:
        steps: `step` of a cohort's table, empty where the case is used.
    """
    excluded = Counter(steps)
    cases, used = excluded.total(), excluded.pop("", 0)
    by_configuration = sum(excluded.pop(step, 0) for step in BY_CONFIGURATION)
    counted = [f"{used} of {cases} cases used"]
    if by_configuration:
        counted.append(f"{by_configuration} excluded by the configuration")
    if excluded:
        counts = ", ".join(f"{count} {step}" for step, count in excluded.most_common())
        counted.append(f"{excluded.total()} excluded: {counts}")
    return "; ".join(counted)


def give_up(attempt: int, *needed: str | Path) -> None:
    """End the third attempt at a case: the first two were killed.

    They may also have ended because a file cannot be read, for which no case is to blame. So read
    what the workflow wrote before this; what the user gave is looked at here.

    Args:
        attempt: Which attempt it is.
        needed: Files and folders of the user.

    Raises:
        PermissionError: One of them may not be read.
        BadCase: The process was killed.
    """
    if attempt > TRIES:
        for start in map(Path, needed):
            for path in (start, *start.rglob("*")):
                if path.exists() and not os.access(path, os.R_OK):
                    raise PermissionError(errno.EACCES, "", str(path))
        raise BadCase(
            "the process that worked on it was killed twice, probably for want of memory."
        )
