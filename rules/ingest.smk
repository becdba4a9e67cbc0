from functools import cache


@cache  # Snakemake asks several times
def stamp(image):
    """Digest of the files in a DICOM folder: its own time says nothing of an edited file."""
    watched = config["ingest"]["watch"] == "files" and Path(image).is_dir()
    return files.stamp(image) if watched else ""


rule ingest:
    """Read a CT, whatever its format, as a canonical volume in HU."""
    input:
        source("image"),
    output:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        facts=results("volumes/{cohort}/{case}.json"),
    log:
        results("logs/ingest/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/ingest/{cohort}/{case}.tsv")
    retries: 2
    group:
        "read"
    conda:
        "../envs/hepatoclr.yaml"
    resources:
        attempt=growing(1),  # a case that killed its process twice is excluded
    params:
        code=code("ingest"),
        image=of_row("image"),
        stamp=lambda wildcards: stamp(of_row("image")(wildcards)),
        series=lambda wildcards: config["cohorts"][wildcards.cohort]["series"],
        series_uid=of_row("series_uid"),
        settings=section("ingest", "fill_slices"),
        on_bad_case=config["on_bad_case"],
    script:
        "../scripts/ingest.py"
