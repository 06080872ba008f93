"""Writes the SQL statements of an export: its tables and views, for Athena and for DuckDB.

The views are written in what both have in common. Athena runs one statement at a time
(https://docs.aws.amazon.com/athena/latest/ug/ddl-sql-reference.html), so each has a file.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files

from posture_cli.export.datasets import DATASETS, Columns

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "array<string>": "VARCHAR[]",
}


def list_views() -> Mapping[str, str]:
    """Return the SELECT statement of each view by its name, with a comment that explains it."""
    folder = files("posture_cli.export").joinpath("views")
    texts = {file.name: file.read_text("utf-8") for file in folder.iterdir()}
    return {
        name.removesuffix(".sql"): texts[name].strip()
        for name in sorted(texts)
        if name.endswith(".sql")
    }


def build_athena_statements(location: str) -> Iterator[tuple[str, str]]:
    """Build the statements for Athena, each with the name of its file, in their order.

    Args:
        location: Where the export is: `s3://BUCKET/PREFIX`.
    """
    statements = [
        *((name, _create_table(name, it, location)) for name, it in DATASETS.items()),
        *((name, _create_view(name, text)) for name, text in list_views().items()),
    ]
    for number, (name, statement) in enumerate(statements, 1):
        yield f"{number:02}-{name}.sql", statement


def build_duckdb_script() -> str:
    """Build the script for DuckDB, which reads the files from the folder that it runs in."""
    tables = (_read_files(name, columns) for name, columns in DATASETS.items())
    views = (_create_view(name, text) for name, text in list_views().items())
    return "\n".join(f"{each};\n" for each in (*tables, *views))


def _create_table(name: str, columns: Columns, location: str) -> str:
    listed = ",\n".join(f"  `{column}` {kind}" for column, kind in columns.items())
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{name}` (\n{listed}\n)\n"
        "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\n"
        f"LOCATION '{location.rstrip('/')}/{name}/'\n"
    )


def _create_view(name: str, text: str) -> str:
    return f"CREATE OR REPLACE VIEW {name} AS\n{text}\n"


def _read_files(name: str, columns: Columns) -> str:
    listed = ", ".join(f"'{column}': '{DUCKDB_TYPES[kind]}'" for column, kind in columns.items())
    return (
        f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_json('{name}/*.json.gz', "  # noqa: S608
        f"format = 'newline_delimited', columns = {{{listed}}})\n"
    )
