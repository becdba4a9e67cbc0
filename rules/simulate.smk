rule manifest:
    """Write the manifest of a simulated cohort."""
    output:
        results("simulated/{cohort}/manifest.csv"),
    log:
        results("logs/manifest/{cohort}.log"),
    benchmark:
        results("benchmarks/manifest/{cohort}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("manifest"),
        cohort=lambda wildcards: config["cohorts"][wildcards.cohort]["simulate"],
        settings=section("simulate", "confusion", "seed"),
    message:
        "Writing the manifest of the simulated cohort {wildcards.cohort}"
    script:
        "../scripts/manifest.py"


rule simulate:
    """Simulate the CTs of patients, with their liver masks."""
    output:
        table_of("simulate"),
    log:
        results("logs/simulate/{cohort}/{batch}.log"),
    benchmark:
        results("benchmarks/simulate/{cohort}/{batch}.tsv")
    retries: 2  # get past a case that kills the process; its job fails when the others are made
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10 + config["cases_per_job"]),
    params:
        *code("simulate"),
        settings=section("simulate", "seed", "matrix", "slice_mm"),
        key=digest(code("simulate"), section("simulate", "seed", "matrix", "slice_mm")),
        batch=batch("simulate", writes=SIMULATION, told=patient),
        again=again("simulate", SIMULATION),
    message:
        "Simulating patients of {wildcards.cohort}, batch {wildcards.batch}"
    script:
        "../scripts/simulate.py"
