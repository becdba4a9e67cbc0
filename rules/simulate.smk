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
        mem_mb=2000,
        runtime=10,
    params:
        *code("manifest"),
        cohort=lambda wildcards: config["cohorts"][wildcards.cohort]["simulate"],
        settings=section("simulate", "confusion", "seed"),
    message:
        "Writing the manifest of the simulated cohort {wildcards.cohort}"
    script:
        "../scripts/manifest.py"


rule simulate:
    """Simulate the CT of one patient, with its liver mask."""
    output:
        directory(results("simulated/{cohort}/{case}")),
    log:
        results("logs/simulate/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/simulate/{cohort}/{case}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        *code("simulate"),
        patient=lambda wildcards: SIMULATED[wildcards.cohort][wildcards.case],
        settings=section("simulate", "seed", "matrix", "slice_mm"),
    message:
        "Simulating {wildcards.cohort} {wildcards.case}"
    script:
        "../scripts/simulate.py"
