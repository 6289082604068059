"""The head grid, rankings, head sets, gallery and discovery."""
