#!/usr/bin/env python3
"""Prints an Excel workbook: python3 read.py FILE.xlsx [--sheet NAME] [--formulas] [--csv] [--rows N]

Without --sheet it lists all sheets with their sizes and first rows. --formulas shows formulas in place of the values that
were last computed; a formula that no office program has computed yet has no value.
"""
import argparse
import csv
import datetime
import sys

try:
    import openpyxl
except ImportError:
    sys.exit("openpyxl is missing. Install it (apt: python3-openpyxl, pip: openpyxl), or tell the user that this "
             "environment cannot read Excel workbooks.")


def shown(value):
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return "" if value is None else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--sheet", help="only this one")
    parser.add_argument("--formulas", action="store_true")
    parser.add_argument("--csv", action="store_true", help="as CSV, all rows; needs --sheet")
    parser.add_argument("--rows", type=int, default=20, help="how many rows of each sheet (20)")
    arguments = parser.parse_args()
    if arguments.csv and not arguments.sheet:
        parser.error("--csv needs --sheet")
    try:
        book = openpyxl.load_workbook(arguments.file, data_only=not arguments.formulas)
    except Exception as error:  # It says in many ways that a file is none of its own.
        sys.exit(f"{arguments.file} cannot be read as .xlsx: {error}. An old .xls must be converted first.")
    if arguments.sheet and arguments.sheet not in book.sheetnames:
        sys.exit(f"there is no sheet {arguments.sheet!r}; there are: {', '.join(book.sheetnames)}")
    for sheet in book.worksheets:
        if arguments.sheet not in (None, sheet.title):
            continue
        if not arguments.csv:
            print(f"## {sheet.title}: {sheet.max_row} rows, {sheet.max_column} columns")
        writer = csv.writer(sys.stdout, lineterminator="\n")
        limit = None if arguments.csv else arguments.rows
        for i, row in enumerate(sheet.iter_rows(values_only=True)):
            if i == limit:
                print(f"… {sheet.max_row - i} more rows")
                break
            writer.writerow([shown(value) for value in row])


if __name__ == "__main__":
    main()
