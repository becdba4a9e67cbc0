rule tensors:
    """Clip the kept slices to the window and cache them, one compressed chunk a slice."""
    input:
        volumes=table_of("ingest"),
        slices=table_of("slices"),
    output:
        table_of("tensors"),
    log:
        results("logs/tensors/{cohort}/{batch}.log"),
    benchmark:
        results("benchmarks/tensors/{cohort}/{batch}.tsv")
    retries: 2  # get past a case that kills the process; its job fails when the others are made
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10 + config["cases_per_job"]),
    params:
        *code("tensors"),
        settings=config["tensors"],
        key=digest(code("tensors"), config["tensors"]),
        batch=batch("tensors", writes=TENSOR, reads={"volume": CT["volume"]} | KEPT),
        again=again("tensors", TENSOR),
    message:
        "Caching the slices of {wildcards.cohort}, batch {wildcards.batch}"
    script:
        "../scripts/tensors.py"
