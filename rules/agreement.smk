rule agreement:
    """Compare the radiologist's label with histology, in patients who have both."""
    input:
        results(f"cohorts/{EVALUATION}.csv"),
    output:
        captioned("tables/agreement.csv", "agreement", "Tables"),
    log:
        results("logs/agreement.log"),
    benchmark:
        results("benchmarks/agreement.tsv")
    params:
        code=code("agreement"),
        meanings=[config["cohorts"][cohort]["labels"] for cohort in PRETRAINING],
    script:
        "../scripts/agreement.py"
