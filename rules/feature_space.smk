rule feature_space:
    """Ask what features tell of patients: of their stage, and of site and scanner."""
    input:
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        features=expand(
            results(f"features/{EVALUATION}/{{encoder}}/{FIRST_SEED}.parquet"), encoder=EXPLAINED
        ),
    output:
        **table("separability"),
        **figure("feature_space_pca"),
        neighbours=captioned("tables/neighbours.csv", "neighbours", "Tables"),
    log:
        results("logs/feature_space.log"),
    benchmark:
        results("benchmarks/feature_space.tsv")
    params:
        code=code("feature_space"),
        encoders=EXPLAINED,
        seed=config["seed"],
        disclaimers=DISCLAIMERS,
    script:
        "../scripts/feature_space.py"


rule feature_space_umap:
    """Draw how near patients are to each other, by UMAP; apart, since its library takes long to load."""
    input:
        cohort=results(f"cohorts/{EVALUATION}.csv"),
        features=expand(
            results(f"features/{EVALUATION}/{{encoder}}/{FIRST_SEED}.parquet"), encoder=EXPLAINED
        ),
    output:
        **figure("feature_space_umap"),
    log:
        results("logs/feature_space_umap.log"),
    benchmark:
        results("benchmarks/feature_space_umap.tsv")
    params:
        code=code("feature_space_umap"),
        encoders=EXPLAINED,
        disclaimers=DISCLAIMERS,
    script:
        "../scripts/feature_space_umap.py"
