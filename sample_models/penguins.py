"""A scikit-learn pipeline with text and number columns that tells female from male penguins."""

from pathlib import Path
from typing import Any

import joblib
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sample_models import card, reproducible, score, sources

SEED = 11
HELD_BACK = 100
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["species", "island"]
FILES = {"model.skops": "skops", "model.joblib": "pickle"}
WORDS = card.Words(
    title="Penguins",
    task="tabular classification",
    sentence="A logistic regression that tells the sex of a penguin from its species, island, bill, flipper and weight.",
    preprocessing="None outside the model: it imputes and scales the numbers and encodes the text columns itself.",
    dataset=card.Dataset(
        name="Palmer penguins",
        source="Python package palmerpenguins 0.1.6",
        licence="CC0-1.0",
        credit="Horst, Hill, Gorman: palmerpenguins (2020); data of Palmer Station LTER and K. Gorman.",
    ),
    classes=["female", "male"],
)


def pipeline() -> Pipeline:
    """Return the pipeline before training."""
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    texts = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    return Pipeline([("columns", columns), ("classify", LogisticRegression(max_iter=1000, random_state=SEED))])


def build(data: Path, fashion: Path, folder: Path) -> dict[str, Any]:
    """Train, write every file of the sample into the folder, and return its card."""
    table = sources.penguins(data)[[*NUMBERS, *TEXTS, "sex"]]
    train, test = train_test_split(table, test_size=HELD_BACK, random_state=SEED, stratify=table["sex"])
    model = pipeline().fit(train[NUMBERS + TEXTS], train["sex"])
    skops.io.dump(model, folder / "model.skops")
    reproducible.rewrite_skops(folder / "model.skops")
    joblib.dump(model, folder / "model.joblib")
    test.to_csv(folder / "test.csv", index=False, lineterminator="\n")
    answers = {name: score.SCORES[format](folder / name, test[NUMBERS + TEXTS]) for name, format in FILES.items()}
    return card.compose(
        folder,
        WORDS,
        main="model.skops",
        rows=card.files(folder, FILES, answers, test["sex"].to_numpy()),
        data={"file": "test.csv", "label": "sex", "rows": HELD_BACK, "which": "every row that was held back"},
        accuracy=card.agreement(answers["model.skops"], test["sex"].to_numpy(), "all 100 held-back penguins"),
        training={"seed": SEED, "rows": len(train), "method": "LogisticRegression"},
        packages=["scikit-learn", "skops", "joblib", "numpy"],
    )
