rule picture:
    """Draw each case for people to judge by: slices, the liver's outline, intensities."""
    input:
        volumes=table_of("ingest"),
        livers=table_of("segment"),
        slices=table_of("slices"),
    output:
        table_of("picture"),
    log:
        results("logs/picture/{cohort}/{batch}.log"),
    benchmark:
        results("benchmarks/picture/{cohort}/{batch}.tsv")
    retries: 2  # get past a case that kills the process; its job fails when the others are made
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10 + config["cases_per_job"]),
    params:
        *code("picture"),
        window=config["tensors"]["window"],
        synthetic=lambda wildcards: wildcards.cohort in SIMULATED,
        key=digest(code("picture"), config["tensors"]["window"]),
        batch=batch("picture", writes=PICTURE, reads=CT | LIVER | KEPT),
        again=again("picture", PICTURE),
    message:
        "Drawing the cases of {wildcards.cohort}, batch {wildcards.batch}"
    script:
        "../scripts/picture.py"


rule qc:
    """Put the cases of a cohort on a page, with their pictures."""
    input:
        cohort=results("cohorts/{cohort}.csv"),
        pictures=lambda wildcards: tables_of("picture", wildcards.cohort),
    output:
        results("qc/{cohort}.html"),
    log:
        results("logs/qc/{cohort}.log"),
    benchmark:
        results("benchmarks/qc/{cohort}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("qc", "hepatoclr/templates/qc.html.j2"),
        run=config["run"],
        synthetic=lambda wildcards: wildcards.cohort in SIMULATED,
    message:
        "Writing the quality control page of {wildcards.cohort}"
    script:
        "../scripts/qc.py"
