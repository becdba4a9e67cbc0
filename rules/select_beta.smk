ruleorder: beta > linear
ruleorder: beta > finetune


rule beta:
    """Choose the weight of the weak label inside the training folds, not on the reported ones."""
    input:
        nested=[
            results(f"predictions/linear_nested/{encoder}/seed{{seed}}/{{part}}.csv")
            for encoder in BETAS.values()
        ],
        finetuned=[
            results(f"predictions/finetune/{encoder}/seed{{seed}}/{{part}}.csv")
            for encoder in BETAS.values()
        ],
    output:
        nested=results("predictions/linear_nested/weak_simclr-nested/seed{seed}/{part}.csv"),
        finetuned=results("predictions/finetune/weak_simclr-nested/seed{seed}/{part}.csv"),
    log:
        results("logs/beta/seed{seed}/{part}.log"),
    benchmark:
        results("benchmarks/beta/seed{seed}/{part}.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        *code("beta"),
        betas=list(BETAS),
    message:
        "Choosing beta inside the training folds, seed {wildcards.seed}, {wildcards.part}"
    script:
        "../scripts/beta.py"
