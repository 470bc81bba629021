#!/usr/bin/env python3
"""Makes a Word document of Markdown: python3 create.py INPUT.md OUTPUT.docx [options]

Headings, paragraphs, bold, italic, code, links, nested and numbered lists, tables, quotes, pictures
(![caption](picture.png) on a line of its own), rules, and \\pagebreak on a line of its own.
"""
import argparse
import os
import sys

try:
    import docx
    from docx.enum.section import WD_ORIENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_BREAK
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt, RGBColor
except ImportError:
    sys.exit("python-docx is missing. Install it (apt: python3-docx, pip: python-docx), or tell the user that this "
             "environment cannot make Word documents.")

import markdown_blocks as md

PAGES = {"a4": (Mm(210), Mm(297)), "letter": (Mm(215.9), Mm(279.4))}
ALIGNS = {"center": WD_ALIGN_PARAGRAPH.CENTER, "right": WD_ALIGN_PARAGRAPH.RIGHT, "left": WD_ALIGN_PARAGRAPH.LEFT}
MONOSPACE = "Consolas"


class Writer:
    def __init__(self, document, folder):
        self.document, self.folder = document, folder
        self.numbering = None

    def write(self, blocks):
        for block in blocks:
            if block[0] != "item":
                self.numbering = None
            getattr(self, block[0])(*block[1:])

    def heading(self, level, spans):
        self.runs(self.document.add_heading("", level=level), spans)

    def paragraph(self, spans):
        self.runs(self.document.add_paragraph(), spans)

    def quote(self, spans):
        self.runs(self.document.add_paragraph(style=self.style("Quote", "Normal")), spans)

    def code(self, text):
        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.keep_together = True
        shade(paragraph._p.get_or_add_pPr(), "F3F4F6")
        for i, line in enumerate(text.split("\n")):
            run = paragraph.add_run(line)
            monospace(run)
            run.font.size = Pt(9)
            if i < text.count("\n"):
                run.add_break()

    def rule(self):
        paragraph = self.document.add_paragraph()
        borders = OxmlElement("w:pBdr")
        line = OxmlElement("w:bottom")
        for name, value in (("val", "single"), ("sz", "6"), ("space", "1"), ("color", "A0A0A0")):
            line.set(qn("w:" + name), value)
        borders.append(line)
        paragraph._p.get_or_add_pPr().insert_element_before(
            borders, "w:shd", "w:tabs", "w:spacing", "w:ind", "w:jc", "w:rPr")

    def item(self, depth, number, spans):
        kind = "List Bullet" if number is None else "List Number"
        name = kind if depth == 0 else f"{kind} {min(depth + 1, 3)}"
        paragraph = self.document.add_paragraph(style=self.style(name, "Normal"))
        if number is None:
            # Between two numbered items it does not end their list, unless it stands where they do.
            self.numbering = None if depth == 0 else self.numbering
        else:
            if self.numbering is None or depth not in self.numbering:
                self.numbering = {**(self.numbering or {}), depth: self.new_list(name, number)}
            if self.numbering[depth] is not None:
                properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
                properties.get_or_add_ilvl().val = 0
                properties.get_or_add_numId().val = self.numbering[depth]
        self.runs(paragraph, spans)

    def table(self, header, rows, aligns):
        table = self.document.add_table(rows=1 + len(rows), cols=len(header))
        table.style = self.style("Table Grid", None) or table.style
        for column, title in enumerate(header):
            cell = table.rows[0].cells[column]
            self.fill(cell, title, aligns[column], bold=True)
            shade(cell._tc.get_or_add_tcPr(), "E7EBF3")
        mark = OxmlElement("w:tblHeader")
        table.rows[0]._tr.get_or_add_trPr().append(mark)
        for i, row in enumerate(rows):
            for column, text in enumerate(row):
                self.fill(table.rows[i + 1].cells[column], text, aligns[column])
        self.document.add_paragraph()

    def fill(self, cell, text, align, bold=False):
        paragraph = cell.paragraphs[0]
        paragraph.alignment = ALIGNS[align]
        self.runs(paragraph, md.spans(text, frozenset({"b"}) if bold else frozenset()))

    def image(self, path, caption):
        full = os.path.join(self.folder, path)
        if not os.path.isfile(full):
            sys.exit(f"the picture {path} was not found; paths are relative to the Markdown file")
        section = self.document.sections[-1]
        widest = section.page_width - section.left_margin - section.right_margin
        picture = self.document.add_picture(full)
        if picture.width > widest:
            picture.height = int(picture.height * widest / picture.width)
            picture.width = widest
        if caption:
            self.document.add_paragraph(caption, style=self.style("Caption", "Normal"))

    def break_(self):
        self.document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)

    def style(self, name, otherwise):
        return name if name in self.names else otherwise

    @property
    def names(self):
        return {style.name for style in self.document.styles}

    def new_list(self, style, first):
        """A numbering of its own, so that each list begins anew."""
        numbered = self.document.styles[style]._element.pPr if style in self.names else None
        if numbered is None or numbered.numPr is None:
            return None
        numbering = self.document.part.numbering_part.numbering_definitions._numbering
        abstract = numbering.num_having_numId(numbered.numPr.numId.val).abstractNumId.val
        number = numbering.add_num(abstract)
        number.add_lvlOverride(ilvl=0).add_startOverride(first)
        return number.numId

    def runs(self, paragraph, spans):
        for text, styles in spans:
            link = next((style[1] for style in styles if isinstance(style, tuple)), None)
            run = paragraph.add_run(text)
            run.bold = "b" in styles or None
            run.italic = "i" in styles or None
            if "c" in styles:
                monospace(run)
            if link:
                self.link(paragraph, run, link)

    def link(self, paragraph, run, url):
        run.font.color.rgb = RGBColor(0x05, 0x63, 0xC1)
        run.font.underline = True
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
        element = OxmlElement("w:hyperlink")
        element.set(qn("r:id"), self.document.part.relate_to(url, kind, is_external=True))
        paragraph._p.append(element)
        element.append(run._r)


# `break` is a word of Python's own.
setattr(Writer, "break", Writer.break_)


def monospace(run):
    run.font.name = MONOSPACE
    run._r.get_or_add_rPr().rFonts.set(qn("w:cs"), MONOSPACE)


def shade(properties, color):
    shading = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", color)):
        shading.set(qn("w:" + name), value)
    later = ("w:noWrap", "w:tcMar", "w:vAlign") if properties.tag == qn("w:tcPr") else (
        "w:tabs", "w:spacing", "w:ind", "w:jc", "w:rPr")
    properties.insert_element_before(shading, *later)


def field(paragraph, instruction):
    """A field that the office program computes when it opens the document."""
    for kind in ("begin", None, "separate", "end"):
        run = paragraph.add_run()
        if kind is None:
            text = OxmlElement("w:instrText")
            text.set(qn("xml:space"), "preserve")
            text.text = instruction
            run._r.append(text)
        else:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._r.append(mark)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", help="a Markdown file, UTF-8")
    parser.add_argument("output", help="the .docx to write")
    parser.add_argument("--title", help="a title above everything, and in the document's properties")
    parser.add_argument("--author", default="")
    parser.add_argument("--template", help="a .docx whose styles, header and footer are used; its text is kept")
    parser.add_argument("--page", choices=PAGES, default="a4")
    parser.add_argument("--landscape", action="store_true")
    parser.add_argument("--font", help="the font of the text, such as Calibri")
    parser.add_argument("--toc", action="store_true", help="a table of contents, filled in when the document is opened")
    parser.add_argument("--page-numbers", action="store_true", help="page numbers at the bottom")
    arguments = parser.parse_args()

    with open(arguments.input, encoding="utf-8-sig") as source:
        blocks = md.parse(source.read())
    document = docx.Document(arguments.template)
    section = document.sections[0]
    if not arguments.template:
        section.page_width, section.page_height = PAGES[arguments.page]
        section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(25)
    if arguments.landscape:
        section.orientation = WD_ORIENT.LANDSCAPE
        width, height = section.page_width, section.page_height
        section.page_width, section.page_height = max(width, height), min(width, height)
    if arguments.font:
        normal = document.styles["Normal"]
        normal.font.name = arguments.font
        normal.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), arguments.font)
    document.core_properties.author = arguments.author
    document.core_properties.title = arguments.title or next(
        (md.plain(block[2]) for block in blocks if block[0] == "heading"), "")
    if arguments.title:
        document.add_heading(arguments.title, level=0)
    if arguments.toc:
        field(document.add_paragraph(), 'TOC \\o "1-3" \\h \\z \\u')
        update = OxmlElement("w:updateFields")
        update.set(qn("w:val"), "true")
        document.settings.element.insert_element_before(
            update, "w:hdrShapeDefaults", "w:footnotePr", "w:endnotePr", "w:compat", "w:docVars", "w:rsids",
            "w:themeFontLang", "w:clrSchemeMapping")
    Writer(document, os.path.dirname(os.path.abspath(arguments.input))).write(blocks)
    if arguments.page_numbers:
        paragraph = section.footer.paragraphs[0]
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        field(paragraph, "PAGE")
    document.save(arguments.output)
    print(f"wrote {arguments.output}: {len(blocks)} blocks")


if __name__ == "__main__":
    main()
