#!/usr/bin/env python3
"""Makes an Excel workbook: python3 create.py SPEC.json OUTPUT.xlsx   or   python3 create.py DATA.csv OUTPUT.xlsx

SPEC.json:
  {"sheets": [{
     "name": "Sales",
     "columns": [{"title": "Month"}, {"title": "Revenue", "format": "#,##0.00", "width": 14, "type": "number"}],
     "rows": [["2026-01", 1200.5], ["2026-02", "=B2*1.1"]],
     "totals": {"Revenue": "sum"},
     "chart": {"type": "bar", "title": "Revenue", "categories": "Month", "values": ["Revenue"]}}]}

A text that begins with = is a formula. "type" is text, number, date (2026-01-31) or left out. "totals" are sum, average,
min, max or count. "chart" is bar, line or pie, or a list of several. Only "name" and "rows" are needed.
"""
import argparse
import csv
import datetime
import json
import os
import sys

try:
    import openpyxl
    from openpyxl.chart import BarChart, LineChart, PieChart, Reference
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
except ImportError:
    sys.exit("openpyxl is missing. Install it (apt: python3-openpyxl, pip: openpyxl), or tell the user that this "
             "environment cannot make Excel workbooks.")

CHARTS = {"bar": BarChart, "line": LineChart, "pie": PieChart}
TOTALS = {"sum": "SUM", "average": "AVERAGE", "min": "MIN", "max": "MAX", "count": "COUNT"}
WIDTH_MAX = 60


def value_of(value, kind):
    if value is None or isinstance(value, bool) or (isinstance(value, str) and value.startswith("=")):
        return value
    if kind == "text":
        return str(value)
    if kind == "date" and isinstance(value, str):
        return datetime.date.fromisoformat(value)
    if kind == "number" and isinstance(value, str):
        return float(value) if "." in value or "e" in value.lower() else int(value)
    return value


def write_sheet(book, spec):
    sheet = book.create_sheet(spec["name"])
    columns = [column if isinstance(column, dict) else {"title": column} for column in spec.get("columns", [])]
    rows = spec.get("rows", [])
    first = 2 if columns else 1
    for at, column in enumerate(columns, 1):
        cell = sheet.cell(1, at, column["title"])
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor=spec.get("color", "305496"))
        cell.alignment = Alignment(vertical="center", wrap_text=True)
    for i, row in enumerate(rows):
        for at, value in enumerate(row, 1):
            column = columns[at - 1] if at <= len(columns) else {}
            try:
                cell = sheet.cell(first + i, at, value_of(value, column.get("type")))
            except ValueError as error:
                sys.exit(f"sheet {spec['name']}, row {i + 1}, column {at}: {value!r} is no {column.get('type')}: {error}")
            # A text that only looks like a formula stays a text.
            if column.get("type") == "text":
                cell.data_type = "s"
            if column.get("format"):
                cell.number_format = column["format"]
            elif column.get("type") == "date":
                cell.number_format = "yyyy-mm-dd"
    last = first + len(rows) - 1
    if spec.get("totals") and rows:
        write_totals(sheet, columns, spec["totals"], first, last)
    if columns:
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{max(last, 1)}"
    set_widths(sheet, columns)
    charts = spec.get("chart") or []
    for i, chart in enumerate(charts if isinstance(charts, list) else [charts]):
        add_chart(sheet, columns, chart, last, i)


def write_totals(sheet, columns, totals, first, last):
    titles = [column["title"] for column in columns]
    for title, kind in totals.items():
        if title not in titles or kind not in TOTALS:
            sys.exit(f"totals: there is no column {title!r}, or {kind!r} is not one of {', '.join(TOTALS)}")
        at = titles.index(title) + 1
        letter = get_column_letter(at)
        cell = sheet.cell(last + 1, at, f"={TOTALS[kind]}({letter}{first}:{letter}{last})")
        cell.font = Font(bold=True)
        cell.number_format = columns[at - 1].get("format", "General")
    if sheet.cell(last + 1, 1).value is None:
        sheet.cell(last + 1, 1, "Total").font = Font(bold=True)


def set_widths(sheet, columns):
    for at, cells in enumerate(sheet.iter_cols(), 1):
        given = columns[at - 1].get("width") if at <= len(columns) else None
        longest = max((len(str(cell.value)) for cell in cells if cell.value is not None), default=8)
        sheet.column_dimensions[get_column_letter(at)].width = given or min(max(longest + 2, 8), WIDTH_MAX)


def add_chart(sheet, columns, spec, last, number):
    titles = [column["title"] for column in columns]
    wanted = [spec.get("categories")] + spec.get("values", [])
    if spec.get("type", "bar") not in CHARTS or any(title not in titles for title in wanted):
        sys.exit(f"chart: the type must be one of {', '.join(CHARTS)}, categories and values must be titles of columns")
    chart = CHARTS[spec.get("type", "bar")]()
    chart.title = spec.get("title")
    for title in spec["values"]:
        at = titles.index(title) + 1
        chart.add_data(Reference(sheet, min_col=at, min_row=1, max_row=last), titles_from_data=True)
    at = titles.index(spec["categories"]) + 1
    chart.set_categories(Reference(sheet, min_col=at, min_row=2, max_row=last))
    sheet.add_chart(chart, f"{get_column_letter(len(columns) + 2)}{2 + number * 16}")


def from_csv(path):
    with open(path, encoding="utf-8-sig", newline="") as source:
        dialect = csv.Sniffer().sniff(source.read(4096), delimiters=",;\t|")
        source.seek(0)
        lines = list(csv.reader(source, dialect))
    columns = [{"title": title} for title in lines[0]]
    for at, column in enumerate(columns):
        values = [line[at] for line in lines[1:] if at < len(line) and line[at] != ""]
        # A number with a zero before it is a code, and would lose the zero.
        column["type"] = "number" if values and all(is_number(value) for value in values) else "text"
    rows = [[None if value == "" else value for value in line] for line in lines[1:]]
    name = os.path.splitext(os.path.basename(path))[0][:31]
    return {"sheets": [{"name": "".join("_" if c in "[]:*?/\\" else c for c in name), "columns": columns, "rows": rows}]}


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    digits = text.lstrip("+-")
    return digits[:1].isdigit() and not (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", help="SPEC.json or DATA.csv, UTF-8")
    parser.add_argument("output", help="the .xlsx to write")
    arguments = parser.parse_args()
    if arguments.input.lower().endswith((".csv", ".tsv")):
        spec = from_csv(arguments.input)
    else:
        with open(arguments.input, encoding="utf-8-sig") as source:
            spec = json.load(source)
    book = openpyxl.Workbook()
    book.remove(book.active)
    for sheet in spec["sheets"]:
        write_sheet(book, sheet)
    # Nothing here has computed the formulas: the office program does when it opens the file.
    book.calculation.fullCalcOnLoad = True
    book.save(arguments.output)
    print(f"wrote {arguments.output}: {len(spec['sheets'])} sheet(s)")


if __name__ == "__main__":
    main()
