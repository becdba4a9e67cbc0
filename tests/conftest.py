"""Fixtures that several test modules share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_ct() -> Path:
    """Folder of the real CTs."""
    folder = SHARED / "ct"
    if not folder.is_dir():
        pytest.skip("the real CTs are not here (../shared/ct beside the repository)")
    return folder
