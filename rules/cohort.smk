rule cohort:
    """List every case of a cohort with its target and facts, used or why not."""
    input:
        manifest=lambda wildcards: manifest(wildcards.cohort),
        volumes=lambda wildcards: of_cases("volumes/{cohort}/{case}.json", wildcards.cohort),
        livers=lambda wildcards: of_cases("slices/{cohort}/{case}.json", wildcards.cohort),
        slices=lambda wildcards: of_cases("slices/{cohort}/{case}.csv", wildcards.cohort),
    output:
        results("cohorts/{cohort}.csv"),
    log:
        results("logs/cohort/{cohort}.log"),
    benchmark:
        results("benchmarks/cohort/{cohort}.tsv")
    params:
        code=code("cohort"),
        settings=lambda wildcards: {
            key: config["cohorts"][wildcards.cohort][key] for key in ("role", "labels", "exclude")
        },
        aliases=ALIASES,
        limits=lambda wildcards: checks(wildcards.cohort),
        # a control: the targets of the evaluation cohort, permuted
        permute=lambda wildcards: (
            config["seed"]
            if config["evaluation"]["permute"] and wildcards.cohort == EVALUATION
            else None
        ),
        on_bad_case=config["on_bad_case"],
    script:
        "../scripts/cohort.py"


rule splits:
    """Split the patients of the evaluation cohort into folds, for all methods alike."""
    input:
        results(f"cohorts/{EVALUATION}.csv"),
    output:
        results("splits/repeat{repeat}.csv"),
    log:
        results("logs/splits/repeat{repeat}.log"),
    benchmark:
        results("benchmarks/splits/repeat{repeat}.tsv")
    params:
        code=code("splits"),
        settings=section("evaluation", "scheme", "folds"),
        seed=config["seed"],
    script:
        "../scripts/splits.py"
