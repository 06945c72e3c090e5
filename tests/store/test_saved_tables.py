"""A table that was saved and read again has the numbers that it had."""

import numpy as np
import pandas as pd

from rofit.store.tables import read_csv


def test_floats_come_back_from_csv_to_the_bit(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.random(10_000) * 10.0 ** rng.integers(-300, 300, 10_000)
    values[::7] = np.nan
    table = pd.DataFrame({"value": values, "method": "pgd_at"})
    table.to_csv(tmp_path / "table.csv", index=False)
    pd.testing.assert_frame_equal(
        read_csv(tmp_path / "table.csv"), table, check_exact=True
    )
