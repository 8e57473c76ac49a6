import pytest


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw coarsely: what a test looks at does not depend on it, and it is fast."""
    monkeypatch.setattr("holdfast.record.theme.DPI", 40)
