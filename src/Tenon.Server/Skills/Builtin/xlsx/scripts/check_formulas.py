#!/usr/bin/env python3
"""Looks for formulas that cannot work: python3 check_formulas.py FILE.xlsx

Finds values that are errors (#REF!, #DIV/0! …), names of sheets that are not there, and brackets that do not match. When
LibreOffice is there (soffice) it has all formulas computed first, in a copy, and then finds errors of those too.
Ends with 0 when all is well.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import openpyxl
except ImportError:
    sys.exit("openpyxl is missing. Install it (apt: python3-openpyxl, pip: openpyxl), or tell the user that this "
             "environment cannot read Excel workbooks.")

ERRORS = ("#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!", "#N/A")
SHEET = re.compile(r"(?:'((?:[^']|'')+)'|([A-Za-z_][\w.]*))!")
SECONDS_MAX = 120


def computed(path, folder):
    """A copy with every formula computed; None without an office program."""
    soffice = shutil.which("soffice") or shutil.which("libreoffice")
    if soffice is None:
        return None
    subprocess.run(
        [soffice, "--headless", f"-env:UserInstallation=file://{folder}/profile", "--convert-to", "xlsx:Calc MS Excel 2007 XML",
         "--outdir", folder, path], check=True, timeout=SECONDS_MAX, stdout=subprocess.DEVNULL)
    return os.path.join(folder, os.path.basename(path))


def formulas_of(book):
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    yield sheet, cell, str(getattr(cell.value, "text", cell.value))


def problems_of(path):
    book = openpyxl.load_workbook(path)
    count = 0
    for sheet, cell, formula in formulas_of(book):
        count += 1
        bare = re.sub(r'"[^"]*"', '""', formula)
        for quoted, word in SHEET.findall(bare):
            name = (quoted or word).replace("''", "'")
            if name not in book.sheetnames and "[" not in name:
                yield f"{sheet.title}!{cell.coordinate}: there is no sheet {name!r}: {formula}"
        if bare.count("(") != bare.count(")"):
            yield f"{sheet.title}!{cell.coordinate}: the brackets do not match: {formula}"
        if any(error in bare for error in ERRORS):
            yield f"{sheet.title}!{cell.coordinate}: it names what is no more: {formula}"
    with tempfile.TemporaryDirectory() as folder:
        values = computed(path, folder) if count else None
        if count and values is None:
            print("LibreOffice is not there: formulas were looked at, and not computed.")
        for sheet in openpyxl.load_workbook(values or path, data_only=True).worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    if isinstance(cell.value, str) and cell.value in ERRORS:
                        yield f"{sheet.title}!{cell.coordinate}: its value is {cell.value}"
    print(f"{count} formula(s)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    found = list(problems_of(parser.parse_args().file))
    for problem in found:
        print(problem)
    if not found:
        print("no problems found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
