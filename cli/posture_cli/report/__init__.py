"""The HTML report. Everything except `report_data`, which reads the tables, is pure."""
