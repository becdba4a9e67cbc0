rule select_beta:
    """Choose the weight of the weak label inside the training folds, not on the reported ones."""
    input:
        nested=[
            results(f"predictions/linear_nested/{encoder}/seed{{seed}}/{{split}}.csv")
            for encoder in BETAS.values()
        ],
        finetuned=[
            results(f"predictions/finetune/{encoder}/seed{{seed}}/{{split}}.csv")
            for encoder in BETAS.values()
        ],
    output:
        nested=results("predictions/select_beta/linear_nested/seed{seed}/{split}.csv"),
        finetuned=results("predictions/select_beta/finetune/seed{seed}/{split}.csv"),
    log:
        results("logs/select_beta/seed{seed}/{split}.log"),
    benchmark:
        results("benchmarks/select_beta/seed{seed}/{split}.tsv")
    params:
        code=code("select_beta"),
        betas=list(BETAS),
    script:
        "../scripts/select_beta.py"
