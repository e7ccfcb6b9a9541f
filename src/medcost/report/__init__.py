"""Reports for people: one HTML page and one workbook made of published tables, nothing else."""
