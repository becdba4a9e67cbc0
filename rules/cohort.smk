rule cohort:
    """List every case of a cohort with its target and facts, used or why not."""
    input:
        manifest=lambda wildcards: manifest(wildcards.cohort),
        volumes=lambda wildcards: of_cases("volumes/{cohort}/{case}.json", wildcards.cohort),
        livers=lambda wildcards: of_cases("livers/{cohort}/{case}.json", wildcards.cohort),
        slices=lambda wildcards: of_cases("slices/{cohort}/{case}.csv", wildcards.cohort),
    output:
        results("cohorts/{cohort}.csv"),
    log:
        results("logs/cohort/{cohort}.log"),
    benchmark:
        results("benchmarks/cohort/{cohort}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("cohort"),
        schema=schema("cohort"),
        cohort=lambda wildcards: {
            key: config["cohorts"][wildcards.cohort][key] for key in ("role", "labels", "exclude")
        }
        | control(wildcards.cohort),
        volumes=results("volumes/{cohort}"),
        livers=results("livers/{cohort}"),
        kept=results("slices/{cohort}"),
        limits=config["checks"],
        on_bad_case=config["on_bad_case"],
    message:
        "Listing the cases of {wildcards.cohort}"
    script:
        "../scripts/cohort.py"


rule splits:
    """Deal the patients of the evaluation cohort into folds, for all methods alike."""
    input:
        results(f"cohorts/{EVALUATION}.csv"),
    output:
        results("splits/repeat{repeat}.csv"),
    log:
        results("logs/splits/repeat{repeat}.log"),
    benchmark:
        results("benchmarks/splits/repeat{repeat}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("splits"),
        settings=section("evaluation", "scheme", "folds"),
        seed=config["seed"],
    message:
        "Splitting the evaluation cohort, repeat {wildcards.repeat}"
    script:
        "../scripts/splits.py"
