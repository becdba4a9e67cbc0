"""What becomes of a case that cannot be used: it is set aside, with its reason."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hepatoclr import files
from hepatoclr.errors import BadCase, UserError

log = logging.getLogger(__name__)

SET_ASIDE = "set_aside"


@contextmanager
def guarded(case: str, outputs: Sequence[str], facts: str, on_bad_case: str) -> Iterator[None]:
    """Run a stage of one case; if the case cannot be used, record the reason and end well.

    A case set aside leaves empty outputs, and `{"set_aside": reason}` as its facts.

    Args:
        case: The case, as the user knows it.
        outputs: Files of the stage other than its facts.
        facts: Its JSON file of facts.
        on_bad_case: "exclude", or "stop" to end with the reason as the message.
    """
    try:
        yield
    except BadCase as error:
        if on_bad_case == "stop":
            raise UserError(
                f"case {case}: {error} (on_bad_case is stop; exclude goes on without the case)"
            ) from error
        log.warning("case %s is set aside: %s", case, error)
        for output in outputs:
            Path(output).parent.mkdir(parents=True, exist_ok=True)
            Path(output).write_bytes(b"")
        files.write_json({SET_ASIDE: str(error)}, facts)


def usable(facts: str | Path) -> bool:
    """Say whether the stage that wrote these facts could use the case."""
    return SET_ASIDE not in files.read_json(facts)


def require(facts: str | Path) -> dict:
    """Read the facts of an earlier stage.

    Raises:
        BadCase: That stage set the case aside; for its reason.
    """
    found = files.read_json(facts)
    if SET_ASIDE in found:
        raise BadCase(found[SET_ASIDE])
    return found
