rule tables:
    """Compute the tables, from predictions alone."""
    input:
        predictions=PREDICTIONS,
        trainings=TRAININGS,
    output:
        **table("table1"),
        **table("table2"),
        **table("learning_curve"),
        **table("measures"),
        **table("comparisons"),
        **table("nested"),
        **table("aggregation"),
    log:
        results("logs/tables.log"),
    benchmark:
        results("benchmarks/tables.tsv")
    params:
        code=code("tables"),
        methods=METHODS,
        betas=BETAS,
        disclaimers=DISCLAIMERS,
        threshold=config["evaluation"]["threshold"],
        settings={
            name: config[name]
            for name in ("tensors", "network", "augmentation", "pretraining", "finetune")
        },
    script:
        "../scripts/tables.py"
