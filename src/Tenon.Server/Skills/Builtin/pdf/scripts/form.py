#!/usr/bin/env python3
"""Lists and fills the form of a PDF:

  python3 form.py list IN.pdf                      the fields: name, kind, value, what may be chosen
  python3 form.py fill IN.pdf OUT.pdf VALUES.json  VALUES.json: {"name": "Ada", "agrees": true}
"""
import json
import sys

try:
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import BooleanObject, NameObject
except ImportError:
    sys.exit("pypdf is missing. Install it (apt: python3-pypdf, pip: pypdf), or tell the user that this environment "
             "cannot fill forms.")

KINDS = {"/Tx": "text", "/Btn": "button", "/Ch": "choice", "/Sig": "signature"}


def fields_of(reader):
    fields = reader.get_fields() or {}
    if not fields:
        sys.exit("the PDF has no form: its boxes and lines are only drawn. Tell the user, or write a new PDF.")
    return fields


def show(path):
    for name, field in fields_of(PdfReader(path)).items():
        choices = field.get("/_States_") or field.get("/Opt") or []
        print(json.dumps({
            "name": name, "kind": KINDS.get(field.get("/FT"), str(field.get("/FT"))), "value": str(field.get("/V", "")),
            "choices": [str(choice) for choice in choices],
        }, ensure_ascii=False))


def fill(source, out, values_path):
    with open(values_path, encoding="utf-8-sig") as given:
        values = json.load(given)
    reader = PdfReader(source)
    fields = fields_of(reader)
    unknown = [name for name in values if name not in fields]
    if unknown:
        sys.exit(f"the form has no field {', '.join(map(repr, unknown))}; `form.py list` shows all")
    # The whole file, since a form hangs at its root and not at its pages.
    writer = PdfWriter()
    writer.clone_document_from_reader(reader)
    # Viewers then draw what was filled in.
    writer._root_object["/AcroForm"].get_object()[NameObject("/NeedAppearances")] = BooleanObject(True)
    named = {name: checked(fields[name], value) for name, value in values.items()}
    for page in writer.pages:
        if "/Annots" in page:
            writer.update_page_form_field_values(page, named)
            for annotation in page["/Annots"]:
                tick(annotation.get_object(), named)
    with open(out, "wb") as target:
        writer.write(target)
    print(f"wrote {out}: {len(values)} field(s) filled")


def checked(field, value):
    if field.get("/FT") != "/Btn":
        return str(value)
    states = [str(state) for state in field.get("/_States_", []) if state != "/Off"]
    if value is True:
        return states[0] if states else "/Yes"
    return "/Off" if value in (False, None, "") else "/" + str(value).lstrip("/")


def tick(annotation, named):
    name = annotation.get("/T")
    if annotation.get("/FT") == "/Btn" and name in named:
        annotation[NameObject("/V")] = NameObject(named[name])
        annotation[NameObject("/AS")] = NameObject(named[name])


def main():
    given = sys.argv[1:]
    if len(given) == 2 and given[0] == "list":
        show(given[1])
    elif len(given) == 4 and given[0] == "fill":
        fill(*given[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
