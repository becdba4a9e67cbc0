rule agreement:
    """Compare the radiologist's label with histology, in patients who have both."""
    input:
        results(f"cohorts/{EVALUATION}.csv"),
    output:
        report(results("tables/agreement.csv"), caption="captions/agreement.rst", category="Tables"),
    log:
        results("logs/agreement.log"),
    benchmark:
        results("benchmarks/agreement.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("agreement"),
        synthetic=EVALUATION in SIMULATED,
        meanings=[config["cohorts"][cohort]["labels"] for cohort in with_role("pretraining")],
    message:
        "Comparing weak and strong labels"
    script:
        "../scripts/agreement.py"
