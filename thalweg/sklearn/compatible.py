"""What scikit-learn 1.5 names otherwise than later versions."""

from __future__ import annotations

from typing import Any

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before 1.6

    def validate_data(estimator: Any, *arrays: Any, **options: Any) -> Any:
        """Checks X, or X and y, and notes or compares the features."""
        return estimator._validate_data(*arrays, **options)


__all__ = ["validate_data"]
