"""Fixtures that several test modules share."""

import shutil
from pathlib import Path

import pytest
from tiny_project import Project

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_ct() -> Path:
    """Folder of the real CTs."""
    folder = SHARED / "ct"
    if not folder.is_dir():
        pytest.skip("the real CTs are not here (../shared/ct beside the repository)")
    return folder


@pytest.fixture(scope="module")
def browser():
    """A headless browser; tests of pages skip where none is installed."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip(f"no browser is installed (looked for {', '.join(BROWSERS)})")
    with sync_playwright() as playwright:
        # its sandbox does not start for root, as in containers
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A project after a whole run of the tiny preset."""
    project = Project(tmp_path_factory.mktemp("finished"))
    project.printed = project.snakemake("--cores", "2")
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project, to be changed; results keep their times."""
    return finished.copied(tmp_path / "copy")
