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
    """Simulate the CT of a patient, with its liver mask."""
    output:
        directory(results("simulated/{cohort}/{case}")),
    log:
        results("logs/simulate/{cohort}/{case}.log"),
    group:
        "images"
    conda:
        "../envs/hepatoclr.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("simulate"),
        patient=lambda wildcards: SIMULATED[wildcards.cohort][wildcards.case],
        settings=section("simulate", "seed", "matrix", "slice_mm"),
    script:
        "../scripts/simulate.py"
