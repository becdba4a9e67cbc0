rule segment:
    """Find the liver in each CT, with a model that is loaded once."""
    input:
        volumes=table_of("ingest"),
        masks=sources("liver_mask") if PROVIDED else [],
    output:
        table_of("segment"),
    log:
        results("logs/segment/{cohort}/{batch}.log"),
    benchmark:
        results("benchmarks/segment/{cohort}/{batch}.tsv")
    retries: 6  # each two get past one case that kills the process
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        gpu=0 if PROVIDED else GPU,
        runtime=growing(60 + 10 * config["cases_per_job"]),
    params:
        *code("segment", BACKEND),
        settings=section("segment", "backend", "model"),
        key=digest(code("segment", BACKEND), section("segment", "backend", "model")),
        batch=batch(
            "segment",
            writes=LIVER,
            reads={"volume": CT["volume"], "earlier": CT["facts"]},
            told=mask,
            sources=["mask"],
        ),
        again=again("segment", LIVER),
    message:
        "Segmenting the livers of {wildcards.cohort}, batch {wildcards.batch}"
    script:
        "../scripts/segment.py"
