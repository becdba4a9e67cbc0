rule manifest:
    """Write the manifest of a simulated cohort."""
    output:
        results("simulated/{cohort}/manifest.csv"),
    log:
        results("logs/manifest/{cohort}.log"),
    benchmark:
        results("benchmarks/manifest/{cohort}.tsv")
    params:
        code=code("manifest"),
        cohort=lambda wildcards: config["cohorts"][wildcards.cohort]["simulate"],
        settings=section("simulate", *simulate.DRAWN),
    script:
        "../scripts/manifest.py"


rule simulate:
    """Simulate the CT of a patient, with its liver mask."""
    output:
        directory(results("simulated/{cohort}/{case}")),
    log:
        results("logs/simulate/{cohort}/{case}.log"),
    benchmark:
        results("benchmarks/simulate/{cohort}/{case}.tsv")
    group:
        "read"
    params:
        code=code("simulate"),
        patient=lambda wildcards: simulate.pictured(SIMULATED[wildcards.cohort][wildcards.case]),
        settings=section("simulate", "seed", "effect", "matrix", "slice_mm"),
    script:
        "../scripts/simulate.py"
