rule tables:
    """Compute the tables, from predictions alone."""
    input:
        predictions(),
    output:
        table1=report(
            results("tables/table1.csv"), caption="captions/table1.rst", category="Tables"
        ),
        table2=report(
            results("tables/table2.csv"), caption="captions/table2.rst", category="Tables"
        ),
        learning_curve=report(
            results("tables/learning_curve.csv"),
            caption="captions/learning_curve.rst",
            category="Tables",
        ),
        readable=expand(
            results("tables/{table}.{format}"),
            table=["table1", "table2", "learning_curve"],
            format=["md", "tex"],
        ),
    log:
        results("logs/tables.log"),
    benchmark:
        results("benchmarks/tables.tsv")
    conda:
        "../envs/hepatoclr.yaml"
    message:
        "Computing the tables"
    params:
        methods=encoders.by_method(**section("experiment", "methods", "beta")),
        betas=encoders.by_beta(config["experiment"]["betas"]),
        synthetic=bool(SIMULATED),
        code=code("tables"),
    script:
        "../scripts/tables.py"
