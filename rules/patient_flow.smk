rule flow:
    """Count every patient and CT from the manifests to the tables, and draw it."""
    input:
        cohorts=expand(results("cohorts/{cohort}.csv"), cohort=COHORTS),
        predictions=expand(
            results("predictions/{protocol}/none/{seed}/{part}.csv"),
            protocol=["linear", "finetune"],
            seed=SEEDS,
            part=PARTS,
        ),
    output:
        **figure("flow"),
        table=report(results("tables/flow.csv"), caption="captions/flow.rst", category="Tables"),
    log:
        results("logs/flow.log"),
    benchmark:
        results("benchmarks/flow.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("flow"),
        cohorts=list(COHORTS),
        synthetic=bool(SIMULATED),
    message:
        "Counting patients from the manifests to the tables"
    script:
        "../scripts/flow.py"
