"""Run rocrate-validator without a network: the context of RO-Crate 1.1 comes from a package.

The context is put into the validator's own cache, as a download would be; every check is its own.
Runs in the validator's environment: .venv-crate/bin/python tests/validate_crate.py CRATE
"""

import subprocess
import sys
from importlib import resources
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

PROFILE = "workflow-run-crate-0.5"  # with what it is based on: RO-Crate, workflow, process run
CONTEXT = "https://w3id.org/ro/crate/1.1/context"


class Packaged(HTTPAdapter):
    """Answer with the context that the package rocrate ships."""

    def send(self, request, **_):
        body = resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes()
        headers = {"Content-Type": "application/ld+json"}
        answer = HTTPResponse(
            BytesIO(body), headers, 200, preload_content=False, request_url=request.url
        )
        return self.build_response(request, answer)


def main(crate):
    with TemporaryDirectory() as place:
        cache = Path(place) / "cache"
        with CachedSession(str(cache), backend="sqlite", expire_after=-1) as session:
            session.mount(CONTEXT, Packaged())
            session.get(CONTEXT, headers={"Accept": "application/ld+json, application/json"})
            session.get(CONTEXT)
        command = [Path(sys.executable).parent / "rocrate-validator", "-y", "--disable-color"]
        command += ["validate", "--offline", "--cache-path", cache, "--verbose", "--no-paging"]
        command += ["--no-auto-profile", "--profile-identifier", PROFILE, crate]
        sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main(sys.argv[1])
