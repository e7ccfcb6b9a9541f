"""One test for every row of docs/explanation/verdicts.md."""
