"""The recipes of docs/guides/ship.md, as they stand there: predictions in DuckDB, Spark, Ray Data and Dask."""

import os
import re
import shutil
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

import thalweg

pytest.importorskip("pyarrow")
ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "docs" / "guides" / name for name in ("ship.md", "ship.zh.md")]
QUICK = ("--members", "1", "--no-trees", "--layers", "8", "--epochs", "2", "--seed", "0", "--no-report")
CLASSES = ["Adelie", "Chinstrap", "Gentoo"]


def recipes(guide):
    """The Python blocks of a guide's recipes, by what they are for."""
    blocks = re.findall(r"^```python\n(.*?)^```\n", guide.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    begin = next(number for number, code in enumerate(blocks) if code.startswith("import duckdb\n"))
    return dict(zip(("duckdb", "predictor", "spark", "ray", "dask"), blocks[begin : begin + 5], strict=True))


def without_comments(code):
    return re.sub(r"  # .*$", "", code, flags=re.MULTILINE)


def test_both_guides_have_the_same_recipes():
    one, other = ([without_comments(code) for code in recipes(guide).values()] for guide in GUIDES)
    assert one == other


@pytest.fixture
def cooked(run_thalweg, run_made):
    """Runs recipes on 344 rows: returns their answers as (customers, predictions, probabilities), and the run's own."""
    made = run_made("train", str(ROOT / "examples" / "penguins.csv"), "--target", "target", *QUICK)
    shutil.copytree(made / "run", "runs/penguins")
    rows = f"SELECT row_number() OVER () AS customer, * FROM '{ROOT / 'examples' / 'penguins.csv'}'"
    duckdb.sql(f"COPY ({rows}) TO 'rows.parquet'")
    Path("rows").mkdir()
    for part in range(3):
        duckdb.sql(f"COPY (FROM 'rows.parquet' WHERE customer % 3 = {part}) TO 'rows/{part}.parquet'")
    run = thalweg.load_run("runs/penguins")

    def cook(*names):
        known = {"keras": thalweg}
        for name in names:
            exec(compile(recipes(GUIDES[0])[name], name, "exec"), known)
        return known["answers"]

    def check(frame):
        frame = frame.sort_values("customer")
        assert frame["customer"].tolist() == list(range(1, 345))
        assert frame["prediction"].tolist() == run.predict("rows.parquet").tolist()
        shares = frame[[f"probability of {name}" for name in CLASSES]].to_numpy(np.float32)
        np.testing.assert_allclose(shares, run.predict_proba("rows.parquet"), rtol=2e-6)

    return cook, check


def test_duckdb(cooked):
    cook, check = cooked
    check(cook("duckdb").df())


def test_dask(cooked):
    pytest.importorskip("dask.dataframe")
    distributed = pytest.importorskip("distributed")
    cook, check = cooked
    with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None):
        check(cook("predictor", "dask").compute())


@pytest.mark.filterwarnings("ignore")
def test_ray(cooked):
    ray = pytest.importorskip("ray", reason="Ray isn't installed")
    cook, check = cooked
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        check(cook("predictor", "ray").to_pandas())
    finally:
        ray.shutdown()


@pytest.mark.filterwarnings("ignore")
def test_spark(cooked, monkeypatch):
    pytest.importorskip("pyspark", reason="Spark isn't installed")
    if shutil.which("java") is None:
        pytest.skip("Java isn't installed")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    from pyspark.sql import SparkSession

    local = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = local.config("spark.driver.host", "127.0.0.1").getOrCreate()
    cook, check = cooked
    try:
        check(cook("predictor", "spark").toPandas())
    finally:
        spark.stop()
