# The files of cases: where each comes from, and how often it was tried.
from functools import cache

CASES = {cohort: {row.case: row for row in rows} for cohort, rows in COHORTS.items()}


def of_cases(path, *cohorts):
    """A file of each case of some cohorts."""
    path = results(path)
    return [path.format(cohort=cohort, case=case) for cohort in cohorts for case in CASES[cohort]]


def of_row(column):
    """What the manifest says of a case."""
    return lambda wildcards: str(getattr(CASES[wildcards.cohort][wildcards.case], column))


def source(column):
    """The file that the manifest names for a case, or the folder of its simulation."""

    def find(wildcards):
        if wildcards.cohort in SIMULATED:
            return results(f"simulated/{wildcards.cohort}/{wildcards.case}")
        path = of_row(column)(wildcards)
        return storage.s3(path) if manifests.in_bucket(path) else path

    return find


def name_in_source(column):
    """The file's name in that folder; nothing where it is the source itself."""
    return lambda wildcards: (
        Path(of_row(column)(wildcards)).name if wildcards.cohort in SIMULATED else ""
    )


def attempts(wildcards, attempt):
    """How often a case was tried, by which the third excludes it; a group ends for any of its cases."""
    in_group = workflow.group_settings.local_groupid != "local"
    return attempt - (workflow.attempt - 1 if in_group else 0)


def kept(paths):
    """Outputs that a job looks at before it writes them anew; none is fetched from a bucket."""
    return paths if workflow.storage_settings.default_storage_provider else update(paths)


folder_stamp = cache(files.stamp)  # Snakemake asks several times


def stamp(column):
    """Digest of the files in a DICOM folder: its own time says nothing of an edited file."""

    def find(wildcards):
        path = of_row(column)(wildcards)
        watched = config["ingest"]["watch"] == "files" and wildcards.cohort not in SIMULATED
        return folder_stamp(path) if path and watched and Path(path).is_dir() else ""

    return find
