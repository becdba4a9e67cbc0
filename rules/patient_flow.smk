rule patient_flow:
    """Count every patient and CT from the manifests to the tables, and draw it."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        predictions=expand(
            results("predictions/{protocol}/none/{seed}/{split}.csv"),
            protocol=["linear", "finetune"],
            seed=SEEDS,
            split=SPLITS,
        ),
    output:
        **figure("patient_flow"),
        table=captioned("tables/patient_flow.csv", "patient_flow", "Tables"),
    log:
        results("logs/patient_flow.log"),
    benchmark:
        results("benchmarks/patient_flow.tsv")
    params:
        code=code("patient_flow"),
        cohorts=list(COHORTS),
        synthetic=bool(SIMULATED),
    script:
        "../scripts/patient_flow.py"
