"""In copies of the project: a job stops where it begins or ends to write a file, by `order.json`.

The folder is on PYTHONPATH there, so every Python reads this. Where a file gets its name the first
outputs of the struck job are complete, the last is not.
"""

import os

_replace, _mkdir = os.replace, os.mkdir


def replace(source, target, **options):
    """`os.replace`, which all that is written atomically ends with."""
    _strike(os.fspath(target))
    _replace(source, target, **options)


def mkdir(path, *arguments, **options):
    """`os.mkdir`, which it begins with: of the folder of the unfinished file."""
    _mkdir(path, *arguments, **options)
    _strike(os.fspath(path))


def _strike(path):
    if not os.path.exists("order.json"):  # noqa: PTH110 - most runs of Python are not struck
        return
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


os.replace, os.mkdir = replace, mkdir
