"""The errors a user can act on: each says what was found and what to do."""

from hepatoclr.base import messages


class UserError(Exception):
    """Something the user gave is wrong; the message is the whole answer, no traceback needed.

    It may quote what a stranger wrote: nothing in it commands a terminal.
    """

    def __str__(self) -> str:
        return messages.escape_control_characters(super().__str__())


class BadCase(UserError):
    """One case cannot be used; the others go on (or the run stops, as `on_bad_case` says).

    Attributes:
        stage: The stage that found so, where an earlier one did.
        facts: What the facts of the case say beside the reason.
    """

    def __init__(self, reason: str, stage: str = "") -> None:
        super().__init__(reason)
        self.stage = stage
        self.facts: dict = {}


class EmptyLiver(BadCase):
    """No voxel of the mask is liver."""
