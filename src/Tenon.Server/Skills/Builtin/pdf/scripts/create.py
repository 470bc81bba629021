#!/usr/bin/env python3
"""Makes a PDF of Markdown: python3 create.py INPUT.md OUTPUT.pdf [options]

Headings, paragraphs, bold, italic, code, links, lists, tables, quotes, pictures (![caption](picture.png) on a line of its
own), rules, and \\pagebreak on a line of its own. Headings become bookmarks.
"""
import argparse
import glob
import os
import sys
from xml.sax.saxutils import escape, quoteattr

try:
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4, landscape, letter
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import (
        HRFlowable, Image, ListFlowable, ListItem, PageBreak, Paragraph, Preformatted, SimpleDocTemplate, Spacer,
        Table, TableStyle)
except ImportError:
    sys.exit("reportlab is missing. Install it (apt: python3-reportlab, pip: reportlab), or tell the user that this "
             "environment cannot make PDFs.")

import markdown_blocks as md

PAGES = {"a4": A4, "letter": letter}
MARGIN = 22 * mm

# Normal, bold, italic, bold italic, monospace: families with letters beyond those of Western Europe.
FAMILIES = [
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSans-BoldOblique.ttf",
     "DejaVuSansMono.ttf"),
    ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", "LiberationSans-Italic.ttf",
     "LiberationSans-BoldItalic.ttf", "LiberationMono-Regular.ttf"),
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf", "NotoSans-Italic.ttf", "NotoSans-BoldItalic.ttf",
     "NotoSansMono-Regular.ttf"),
]
BASE = ("Helvetica", "Courier")


def fonts_for(text, given):
    """The names of a font for text and one for code that have all letters of the text."""
    if not given and all(is_latin(letter) for letter in text):
        return BASE
    files = {os.path.basename(path): path for path in glob.glob("/usr/share/fonts/**/*.ttf", recursive=True)}
    if given:
        pdfmetrics.registerFont(TTFont("Given", given))
        refuse_missing(text, "Given")
        return "Given", "Given"
    for family in FAMILIES:
        if family[0] not in files:
            continue
        there = [files.get(name, files[family[0]]) for name in family]
        for name, path in zip(("Text", "Text-Bold", "Text-Italic", "Text-BoldItalic", "Code"), there):
            pdfmetrics.registerFont(TTFont(name, path))
        pdfmetrics.registerFontFamily(
            "Text", normal="Text", bold="Text-Bold", italic="Text-Italic", boldItalic="Text-BoldItalic")
        refuse_missing(text, "Text")
        return "Text", "Code"
    strange = sorted({letter for letter in text if not is_latin(letter)})[:20]
    sys.exit(f"the text has letters that PDF's own fonts lack ({' '.join(strange)}), and no other font is here. "
             "Install one (apt: fonts-dejavu-core), or give a TrueType file with --font.")


def refuse_missing(text, font):
    glyphs = pdfmetrics.getFont(font).face.charToGlyph
    missing = sorted({letter for letter in text if not letter.isspace() and ord(letter) not in glyphs})[:20]
    if missing:
        sys.exit(f"the font lacks these letters: {' '.join(missing)}. Give another one with --font, such as a Noto "
                 "font of that script.")


def is_latin(letter):
    try:
        letter.encode("cp1252")
        return True
    except UnicodeEncodeError:
        return letter in "\n\t"


def markup(spans, code_font):
    parts = []
    for text, styles in spans:
        part = escape(text)
        if "c" in styles:
            part = f'<font name="{code_font}">{part}</font>'
        if "i" in styles:
            part = f"<i>{part}</i>"
        if "b" in styles:
            part = f"<b>{part}</b>"
        for link in (style[1] for style in styles if isinstance(style, tuple)):
            part = f'<a href={quoteattr(link)} color="#0563C1"><u>{part}</u></a>'
        parts.append(part)
    return "".join(parts)


class Writer:
    def __init__(self, fonts, folder, size, width, height):
        self.font, self.code_font = fonts
        self.folder, self.size, self.width, self.height = folder, size, width, height
        self.story = []

    def style(self, **changes):
        look = {"fontName": self.font, "fontSize": self.size, "leading": self.size * 1.4, "spaceAfter": self.size * 0.6}
        return ParagraphStyle("text", **{**look, **changes})

    def write(self, blocks):
        i = 0
        while i < len(blocks):
            if blocks[i][0] == "item":
                end = i
                while end < len(blocks) and blocks[end][0] == "item":
                    end += 1
                self.story += self.lists_of(blocks[i:end])
                i = end
            else:
                getattr(self, "add_" + blocks[i][0])(*blocks[i][1:])
                i += 1
        return self.story

    def add_heading(self, level, spans):
        size = self.size * (2.0, 1.6, 1.3, 1.15, 1.05, 1.0)[level - 1]
        paragraph = Paragraph(f"<b>{markup(spans, self.code_font)}</b>", self.style(
            fontSize=size, leading=size * 1.25, spaceBefore=size * 0.6, keepWithNext=1))
        paragraph.bookmark = (level - 1, md.plain(spans))
        self.story.append(paragraph)

    def add_paragraph(self, spans):
        self.story.append(Paragraph(markup(spans, self.code_font), self.style()))

    def add_quote(self, spans):
        self.story.append(Paragraph(markup(spans, self.code_font), self.style(
            leftIndent=self.size * 1.5, textColor=colors.HexColor("#555555"))))

    def add_code(self, text):
        style = self.style(
            fontName=self.code_font, fontSize=self.size * 0.85, leading=self.size * 1.1, spaceBefore=self.size * 0.3,
            backColor=colors.HexColor("#F3F4F6"), borderPadding=4)
        self.story.append(Preformatted(text, style, maxLineLength=int(self.width / (self.size * 0.55))))
        self.story.append(Spacer(1, self.size * 0.6))

    def add_rule(self):
        self.story.append(HRFlowable(width="100%", color=colors.grey, spaceBefore=4, spaceAfter=8))

    def add_break(self):
        self.story.append(PageBreak())

    def add_image(self, path, caption):
        full = os.path.join(self.folder, path)
        if not os.path.isfile(full):
            sys.exit(f"the picture {path} was not found; paths are relative to the Markdown file")
        width, height = ImageReader(full).getSize()
        scale = min(1, self.width / width, self.height * 0.8 / height)
        self.story.append(Image(full, width * scale, height * scale))
        if caption:
            self.story.append(Paragraph(f"<i>{escape(caption)}</i>", self.style(alignment=1)))

    def add_table(self, header, rows, aligns):
        align = {"left": 0, "center": 1, "right": 2}
        lines = [
            [Paragraph(markup(md.spans(text, frozenset({"b"}) if i == 0 else frozenset()), self.code_font),
                       self.style(alignment=align[aligns[at]], spaceAfter=0))
             for at, text in enumerate(row)]
            for i, row in enumerate([header] + rows)
        ]
        longest = [max(min(max(len(row[at]) for row in [header] + rows), 40), 4) for at in range(len(header))]
        table = Table(lines, repeatRows=1, colWidths=[self.width * part / sum(longest) for part in longest])
        table.setStyle(TableStyle([
            ("GRID", (0, 0), (-1, -1), 0.5, colors.HexColor("#B0B0B0")), ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#E7EBF3")),
        ]))
        self.story += [table, Spacer(1, self.size)]

    def lists_of(self, items):
        """Items with what is deeper inside them; where numbers begin or end at one depth, another list begins."""
        lists, made, i = [], [], 0
        numbered = first = None
        while i < len(items):
            _, depth, number, spans = items[i]
            if made and (number is not None) != numbered:
                lists.append(self.list_of(made, numbered, first))
                made = []
            if not made:
                numbered, first = number is not None, number
            end = i + 1
            while end < len(items) and items[end][1] > depth:
                end += 1
            text = Paragraph(markup(spans, self.code_font), self.style(spaceAfter=self.size * 0.2))
            made.append(ListItem([text] + (self.lists_of(items[i + 1:end]) if end > i + 1 else [])))
            i = end
        return lists + [self.list_of(made, numbered, first)]

    def list_of(self, made, numbered, first):
        return ListFlowable(
            made, bulletType="1" if numbered else "bullet", start=first if numbered else "\u2022",
            bulletFormat="%s." if numbered else None, bulletFontName=self.font, bulletFontSize=self.size,
            leftIndent=self.size * 1.8, spaceAfter=self.size * 0.6)


class Document(SimpleDocTemplate):
    def afterFlowable(self, flowable):
        if hasattr(flowable, "bookmark"):
            level, title = flowable.bookmark
            key = f"heading-{self.seq.nextf('heading')}"
            self.canv.bookmarkPage(key)
            # A level may be one below the last one, and not more.
            self.outline = min(level, getattr(self, "outline", -1) + 1)
            self.canv.addOutlineEntry(title, key, self.outline)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", help="a Markdown file, UTF-8")
    parser.add_argument("output", help="the .pdf to write")
    parser.add_argument("--title")
    parser.add_argument("--author")
    parser.add_argument("--page", choices=PAGES, default="a4")
    parser.add_argument("--landscape", action="store_true")
    parser.add_argument("--size", type=float, default=10.5, help="of the text, in points (10.5)")
    parser.add_argument("--font", help="a TrueType file for all text")
    parser.add_argument("--no-page-numbers", action="store_true")
    arguments = parser.parse_args()

    with open(arguments.input, encoding="utf-8-sig") as source:
        text = source.read()
    blocks = md.parse(text)
    title = arguments.title or next((md.plain(block[2]) for block in blocks if block[0] == "heading"), None)
    page = landscape(PAGES[arguments.page]) if arguments.landscape else PAGES[arguments.page]
    fonts = fonts_for(text + (arguments.title or ""), arguments.font)
    document = Document(
        arguments.output, pagesize=page, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
        title=title, author=arguments.author)
    writer = Writer(fonts, os.path.dirname(os.path.abspath(arguments.input)), arguments.size, document.width,
                    document.height)
    if arguments.title:
        writer.add_heading(1, [(arguments.title, set())])

    def number(canvas, _):
        if not arguments.no_page_numbers:
            canvas.setFont(fonts[0], 8)
            canvas.drawCentredString(page[0] / 2, MARGIN / 2, str(canvas.getPageNumber()))

    document.build(writer.write(blocks), onFirstPage=number, onLaterPages=number)
    print(f"wrote {arguments.output}: {document.page} page(s)")


if __name__ == "__main__":
    main()
