rule slices:
    """Keep the central share of the axial slices that hold liver."""
    input:
        livers=table_of("segment"),
    output:
        table_of("slices"),
    log:
        results("logs/slices/{cohort}/{batch}.log"),
    benchmark:
        results("benchmarks/slices/{cohort}/{batch}.tsv")
    retries: 2  # get past a case that kills the process; its job fails when the others are made
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10 + config["cases_per_job"]),
    params:
        *code("slices"),
        settings=config["slices"],
        key=digest(code("slices"), config["slices"]),
        batch=batch("slices", writes=KEPT, reads=LIVER),
        again=again("slices", KEPT),
    message:
        "Choosing slices of {wildcards.cohort}, batch {wildcards.batch}"
    script:
        "../scripts/slices.py"
