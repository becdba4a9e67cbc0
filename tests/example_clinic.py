"""A finished tiny project's simulated cohorts as files of a clinic: images, masks, manifests."""

import shutil

import pandas as pd
import yaml
from tiny_project import result

POSITIVE = {"radio": ["mild", "moderate", "severe"], "histo": ["F3", "F4"]}


def clinic(project, change=lambda name, table: table):
    """Give the simulated cohorts as files, in an order and under names that tell the label.

    All patients of the positive class come first, and lie in a folder that is named after it.
    """
    preset = yaml.safe_load((project.folder / "presets/tiny.yaml").read_text()) | {"run": "clinic"}
    for name, settings in preset["cohorts"].items():
        source = result(project, f"simulated/{name}")
        table = pd.read_csv(source / "manifest.csv", dtype=str)
        sick = table["label"].isin(POSITIVE[name])
        table = pd.concat([table[sick][::-1], table[~sick]])
        archive = project.folder / "archive" / name
        for number, (index, row) in enumerate(table.iterrows()):
            folder = "cirrhosis" if sick[index] else "healthy"
            for column in ("image", "liver_mask"):
                old = source / row[column]
                new = f"{folder}/{number}{column}{''.join(old.suffixes)}"
                (archive / folder).mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if old.is_dir() else shutil.copy
                copy(old, archive / new)
                table.loc[index, column] = new
            image = archive / table.loc[index, "image"]
            for place, file in enumerate(sorted(image.iterdir()) if image.is_dir() else []):
                file.rename(image / f"{row['label']}{place}")
        change(name, table).to_csv(archive / "manifest.csv", index=False)
        del settings["simulate"]
        settings["manifest"] = f"archive/{name}/manifest.csv"
    (project.folder / "presets/clinic.yaml").write_text(yaml.safe_dump(preset))
    return {"preset": "clinic"}
