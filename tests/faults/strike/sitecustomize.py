"""In copies of the project: a job stops where it gives a file its name, as `order.json` says.

The folder is on PYTHONPATH there, so every Python reads this. The first outputs of the struck job
are complete then, the last is not.
"""

import os

_replace = os.replace


def replace(source, target, **options):
    """`os.replace`, which all that is written atomically ends with."""
    if os.path.exists("order.json"):  # noqa: PTH110
        _strike(os.fspath(target))
    _replace(source, target, **options)


def _strike(path):
    import fnmatch
    import json
    import time
    from pathlib import Path

    order = Path("order.json")
    wanted = json.loads(order.read_text())
    if not fnmatch.fnmatch(path, f"*{wanted['path']}"):
        return
    if wanted["skip"]:
        order.write_text(json.dumps({**wanted, "skip": wanted["skip"] - 1}))
        return
    order.unlink()
    if wanted["signal"]:
        os.kill(os.getpid(), wanted["signal"])
        time.sleep(60)
    Path("held").touch()
    while not Path("go").exists():
        time.sleep(0.05)


os.replace = replace
