rule ingest:
    """Read CTs, whatever their format, as canonical volumes in HU."""
    input:
        sources("image"),
    output:
        table_of("ingest"),
    log:
        results("logs/ingest/{cohort}/{batch}.log"),
    benchmark:
        results("benchmarks/ingest/{cohort}/{batch}.tsv")
    retries: 6  # each two get past one case that kills the process
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(20 + 2 * config["cases_per_job"]),
    params:
        *code("ingest"),
        settings=config["ingest"],
        key=digest(code("ingest"), config["ingest"]),
        batch=batch("ingest", writes=CT, told=image, sources=["image"]),
        again=again("ingest", CT, mended),
    message:
        "Reading the CTs of {wildcards.cohort}, batch {wildcards.batch}"
    script:
        "../scripts/ingest.py"
