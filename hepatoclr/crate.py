"""Pack a finished run as a Workflow Run RO-Crate: one zip to archive, and to verify elsewhere.

    python -m hepatoclr.crate results/study

The zip holds the workflow, `provenance.json` and the files it lists, and no CT. The settings of the
run, without paths, are its `config.yaml`: who runs it again names manifests and weights there.
"""

import argparse
import mimetypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from hepatoclr import files, fingerprint, provenance, verify
from hepatoclr.errors import UserError

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
WORKFLOW = "Snakefile"
FOLDERS = ("envs", "hepatoclr", "presets", "profiles", "rules", "scripts")
SINGLE = ("CITATION.cff", "LICENSE", "README.md")
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
LICENCE = "https://spdx.org/licenses/Apache-2.0"


def pack(folder: str | Path, project: Path, path: str | Path) -> None:
    """Write the crate of a finished run.

    Args:
        folder: Folder of the run, with its `provenance.json`.
        project: The project's folder.
        path: Zip to write.

    Raises:
        UserError: There is no record, or files are not as recorded.
    """
    folder, path = Path(folder), Path(path)
    record = verify.read(folder)
    if problems := verify.run(folder)[1]:
        raise UserError("\n".join(problems))
    crate = described(folder, project, record)
    with files.atomic(path) as temporary:
        crate.write_zip(temporary)


def described(folder: Path, project: Path, record: Mapping) -> ROCrate:
    """Describe a run and the workflow that made it; see `pack`."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(TERMS)
    cited = yaml.safe_load((project / "CITATION.cff").read_text(encoding="utf-8"))
    ended = datetime.fromtimestamp((folder / provenance.FILE).stat().st_mtime, UTC)
    when = ended.isoformat(timespec="seconds")
    name = f"{cited['title']}: run {record['config']['run']}"
    crate.name, crate.description = name, " ".join([cited["abstract"], *record["marks"]])
    crate.root_dataset["license"] = _entity(
        crate, LICENCE, "CreativeWork", name="Apache License 2.0", url=LICENCE
    )
    crate.root_dataset["datePublished"] = when
    author = _entity(crate, "#authors", "Organization", name=cited["authors"][0]["name"])
    workflow = _workflow(crate, project, record)
    workflow["author"] = crate.root_dataset["author"] = author
    article = cited["references"][0]
    paper = _entity(crate, article["url"], "ScholarlyArticle", name=article["title"])
    workflow["citation"] = crate.root_dataset["citation"] = paper
    crate.root_dataset["conformsTo"] = [
        _entity(crate, url, ["CreativeWork", "Profile"], name=name, version=url.rpartition("/")[2])
        for url, name in PROFILES.items()
    ]
    action = crate.add_action(
        workflow,
        "#run",
        object=list(_inputs(crate, record)),
        result=list(_outputs(crate, folder, record)),
        properties={
            "name": name,
            "description": f"Snakemake made {folder.name} with the code and settings recorded in "
            f"{provenance.FILE}.",
            "endTime": when,
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    action["agent"] = _entity(
        crate, "#operator", "Person", name="Whoever ran the workflow; not recorded"
    )
    crate.root_dataset["mentions"] = action
    return crate


def _workflow(crate: ROCrate, project: Path, record: Mapping) -> ContextEntity:
    """Add the workflow, its files as parts of it."""
    versions = record["environment"]["distributions"]
    workflow = crate.add_workflow(
        project / WORKFLOW,
        WORKFLOW,
        main=True,
        lang="snakemake",
        lang_version=versions.get("snakemake", "unknown"),
        properties={
            "name": "HepatoCLR",
            "description": "From raw abdominal CT to tables.",
            "version": record["code"]["version"],
            "license": {"@id": LICENCE},
            "encodingFormat": "text/plain",
        },
    )
    paths = [project / name for name in SINGLE]
    for part in FOLDERS:
        found = sorted((project / part).rglob("*"))
        paths += [one for one in found if one.is_file() and "__pycache__" not in one.parts]
    workflow["hasPart"] = [
        *(_file(crate, one, one.relative_to(project).as_posix()) for one in paths),
        _settings(crate, record["config"]),
    ]
    return workflow


def _settings(crate: ROCrate, config: Mapping) -> ContextEntity:
    """Add the settings in force as the configuration to run with."""
    known = {"name": "Settings of the run", "encodingFormat": "application/yaml"}
    return crate.add_file(StringIO(yaml.safe_dump(dict(config))), "config.yaml", properties=known)


def _inputs(crate: ROCrate, record: Mapping) -> Iterator[ContextEntity]:
    """Manifests by their digests, without path; the settings stand in the record."""
    for cohort, given in record["inputs"].items():
        yield _entity(
            crate,
            f"#manifest-{cohort}",
            "CreativeWork",
            name=f"Manifest of cohort {cohort}",
            description=f"{len(given['images'])} images by digest in {provenance.FILE}",
            sha256=given["manifest"],
        )


def _outputs(crate: ROCrate, folder: Path, record: Mapping) -> Iterator[ContextEntity]:
    """The files of the record and the record itself, as they lie in the folder of the run."""
    for digests in record["files"].values():
        for name, digest in digests.items():
            yield _file(crate, folder / name, name, digest)
    yield _file(
        crate,
        folder / provenance.FILE,
        provenance.FILE,
        files.sha256(folder / provenance.FILE),
    )


def _file(crate: ROCrate, source: Path, name: str, digest: str = "") -> ContextEntity:
    known = {"sha256": digest or files.sha256(source), "name": name}
    known["contentSize"] = str(source.stat().st_size)
    known["encodingFormat"] = mimetypes.guess_type(name)[0] or (
        "text/plain"
        if source.suffix in (".py", ".smk", ".yaml", ".cff", "")
        else "application/octet-stream"
    )
    return crate.add_file(source, name, properties=known)


def _entity(crate: ROCrate, identity: str, kind: str | list[str], **properties) -> ContextEntity:
    """Add what is no file."""
    return crate.add(ContextEntity(crate, identity, properties={"@type": kind, **properties}))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, pack, and say where the crate lies."""
    parser = argparse.ArgumentParser(prog="hepatoclr.crate", description=__doc__.splitlines()[0])
    parser.add_argument("run", help="folder of a finished run, with its provenance.json")
    folder = Path(parser.parse_args(arguments).run)
    path = folder.parent / f"{folder.name}-crate.zip"
    try:
        pack(folder, fingerprint.PROJECT, path)
    except (UserError, OSError) as error:
        sys.exit(f"crate: {error}")
    print(path)


if __name__ == "__main__":
    main()
