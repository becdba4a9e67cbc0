rule ingest:
    """Read a CT, whatever its format, as a canonical volume in HU."""
    input:
        source("image"),
    output:
        volume=results("volumes/{cohort}/{case}.nii.gz"),
        facts=results("volumes/{cohort}/{case}.json"),
    log:
        results("logs/ingest/{cohort}/{case}.log"),
    retries: 2
    group:
        "images"
    conda:
        "../envs/hepatoclr.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
        attempt=attempts,
    params:
        *code("ingest"),
        image=of_row("image"),
        stamp=stamp,
        series=lambda wildcards: config["cohorts"][wildcards.cohort]["series"],
        series_uid=of_row("series_uid"),
        settings=config["ingest"],
        on_bad_case=config["on_bad_case"],
    script:
        "../scripts/ingest.py"
