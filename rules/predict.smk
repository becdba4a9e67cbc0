rule predict:
    """Predict the cases of a cohort by a bundle."""
    input:
        bundle=config["bundle"]["apply"],
        cohort=results("cohorts/{cohort}.csv"),
        tensors=lambda wildcards: of_cases("tensors/{cohort}/{case}.b2nd", wildcards.cohort),
    output:
        results("answers/{cohort}.csv"),
    log:
        results("logs/predict/{cohort}.log"),
    benchmark:
        results("benchmarks/predict/{cohort}.tsv")
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 600 * attempt,
        gpu=GPU,
    params:
        code=code("predict"),
        device=config["device"],
    script:
        "../scripts/predict.py"


TARGETS = expand(results("answers/{cohort}.csv"), cohort=COHORTS)
