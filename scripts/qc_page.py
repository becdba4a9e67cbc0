from hepatoclr.base import files, logs
from hepatoclr.quality import qc_page

with logs.to_file(snakemake.log[0]):
    page = qc_page.render_page(
        snakemake.params.run,
        snakemake.wildcards.cohort,
        qc_page.read(snakemake.input.cohort),
        snakemake.params.synthetic,
    )
    files.write_text(page, snakemake.output[0])
