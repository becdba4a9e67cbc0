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
    resources:
        attempt=attempts,
    params:
        code=code("ingest"),
        image=name_in_source("image"),
        stamp=stamp("image"),
        series=lambda wildcards: config["cohorts"][wildcards.cohort]["series"],
        series_uid=of_row("series_uid"),
        settings=section("ingest", "fill_slices"),
        on_bad_case=config["on_bad_case"],
    script:
        "../scripts/ingest.py"
