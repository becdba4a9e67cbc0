from hepatoclr.base import logs
from hepatoclr.learning import final_linear

with logs.to_file(snakemake.log[0]):
    given, betas = snakemake.input, snakemake.params.betas
    final_linear.pick_beta(
        dict(zip(betas, given.models, strict=True)),
        {
            name: dict(zip(betas, given[name], strict=True))
            for name in ("linear_nested", "finetune")
        },
        dict(snakemake.output.items()),
    )
