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
        settings=section("simulate", "confusion", "seed"),
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
        patient=lambda wildcards: {  # without what was read of it: other labels scan nobody again
            key: value
            for key, value in SIMULATED[wildcards.cohort][wildcards.case].items()
            if key not in ("label", "weak_label")
        },
        settings=section("simulate", "seed", "matrix", "slice_mm"),
    script:
        "../scripts/simulate.py"
