"""The parts of a presentation that are the same in every one: theme, master, layouts, and how all hang together."""
import os
from xml.sax.saxutils import escape

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HYPERLINK, IMAGE = OFFICE + "/hyperlink", OFFICE + "/image"
TABLE_STYLE = "{5C22544A-7EE6-4342-B048-85BDC9FD1C3A}"
NAMESPACES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{OFFICE}" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN_TYPE = "application/vnd.openxmlformats-officedocument.presentationml."
EMPTY_TREE = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
COLOR_MAP = ('bg1="{bg}1" tx1="{tx}1" bg2="{bg}2" tx2="{tx}2" accent1="accent1" accent2="accent2" accent3="accent3" '
             'accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"')
MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}


class Relations:
    """What a part leads to."""

    def __init__(self):
        self.targets = []

    def add(self, kind, target, is_external=False):
        entry = (kind, target, is_external)
        if entry not in self.targets:
            self.targets.append(entry)
        return f"rId{self.targets.index(entry) + 1}"

    def xml(self):
        lines = "".join(
            f'<Relationship Id="rId{i}" Type="{kind}" Target="{escape(target, {chr(34): "&quot;"})}"'
            + (' TargetMode="External"' if is_external else "") + "/>"
            for i, (kind, target, is_external) in enumerate(self.targets, 1))
        return (f'{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{lines}'
                "</Relationships>")


class Deck:
    def __init__(self, look, title):
        self.look, self.title = look, title
        self.width, self.height = (12192000, 6858000) if look.ratio == "16:9" else (9144000, 6858000)
        self.files, self.slides, self.pictures, self.notes = {}, [], {}, 0

    def media(self, path):
        """The part of a picture, as a slide leads to it. The same file is one part."""
        if path not in self.pictures:
            extension = os.path.splitext(path)[1].lower()
            name = f"image{len(self.pictures) + 1}{extension}"
            with open(path, "rb") as file:
                self.files["ppt/media/" + name] = file.read()
            self.pictures[path] = "../media/" + name
        return self.pictures[path]

    def new_slide(self, is_cover):
        relations = Relations()
        relations.add(OFFICE + "/slideLayout", f"../slideLayouts/slideLayout{1 if is_cover else 2}.xml")
        self.slides.append(relations)
        return relations

    def finish_slide(self, relations, shapes, notes):
        number = len(self.slides)
        if notes:
            self.notes += 1
            relations.add(OFFICE + "/notesSlide", f"../notesSlides/notesSlide{self.notes}.xml")
            self.add_notes(number, notes)
        self.put(f"ppt/slides/slide{number}.xml", tree("sld", shapes, "<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>"),
                 relations)

    def add_notes(self, slide, lines):
        relations = Relations()
        relations.add(OFFICE + "/notesMaster", "../notesMasters/notesMaster1.xml")
        relations.add(OFFICE + "/slide", f"../slides/slide{slide}.xml")
        text = "".join(f'<a:p><a:r><a:rPr lang="en-US"/><a:t>{escape(line)}</a:t></a:r></a:p>' for line in lines)
        shapes = (
            '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Slide"/><p:cNvSpPr><a:spLocks noGrp="1" noRot="1" noChangeAspect="1"/>'
            '</p:cNvSpPr><p:nvPr><p:ph type="sldImg"/></p:nvPr></p:nvSpPr><p:spPr/></p:sp>'
            '<p:sp><p:nvSpPr><p:cNvPr id="3" name="Notes"/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr>'
            '<p:nvPr><p:ph type="body" idx="1"/></p:nvPr></p:nvSpPr><p:spPr/>'
            f"<p:txBody><a:bodyPr/><a:lstStyle/>{text}</p:txBody></p:sp>")
        self.put(f"ppt/notesSlides/notesSlide{self.notes}.xml",
                 tree("notes", shapes, "<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>"), relations)

    def put(self, name, content, relations=None):
        self.files[name] = content
        if relations and relations.targets:
            folder, _, file = name.rpartition("/")
            self.files[f"{folder}/_rels/{file}.rels"] = relations.xml()

    def parts(self):
        """Every part with its content; the types come first, as readers of a stream need them."""
        main = Relations()
        relation = main.add(OFFICE + "/slideMaster", "slideMasters/slideMaster1.xml")
        masters = f'<p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="{relation}"/></p:sldMasterIdLst>'
        if self.notes:
            relation = main.add(OFFICE + "/notesMaster", "notesMasters/notesMaster1.xml")
            masters += f'<p:notesMasterIdLst><p:notesMasterId r:id="{relation}"/></p:notesMasterIdLst>'
        slides = "".join(
            f'<p:sldId id="{256 + i}" r:id="{main.add(OFFICE + "/slide", f"slides/slide{i + 1}.xml")}"/>'
            for i in range(len(self.slides)))
        main.add(OFFICE + "/theme", "theme/theme1.xml")
        self.put("ppt/presentation.xml",
                 f'{HEAD}<p:presentation {NAMESPACES} saveSubsetFonts="1">{masters}<p:sldIdLst>{slides}</p:sldIdLst>'
                 f'<p:sldSz cx="{self.width}" cy="{self.height}"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>',
                 main)
        self.add_master()
        self.put("ppt/theme/theme1.xml", theme(self.look))
        if self.notes:
            self.add_notes_master()
        self.add_properties()
        yield "[Content_Types].xml", self.types()
        yield from sorted(self.files.items())

    def add_master(self):
        relations = Relations()
        layouts = ""
        for i in (1, 2):
            relation = relations.add(OFFICE + "/slideLayout", f"../slideLayouts/slideLayout{i}.xml")
            layouts += f'<p:sldLayoutId id="{2147483648 + i}" r:id="{relation}"/>'
        relations.add(OFFICE + "/theme", "../theme/theme1.xml")
        dark = self.look.dark
        colors = COLOR_MAP.format(bg="dk" if dark else "lt", tx="lt" if dark else "dk")
        levels = "".join(
            f'<a:lvl{i}pPr marL="{285750 * i}" indent="-285750"><a:defRPr sz="{2400 - 200 * i}"><a:solidFill>'
            f'<a:schemeClr val="tx1"/></a:solidFill><a:latin typeface="+mn-lt"/></a:defRPr></a:lvl{i}pPr>'
            for i in range(1, 6))
        title = "tx1" if dark else "accent1"
        styles = (
            f'<p:txStyles><p:titleStyle><a:lvl1pPr><a:defRPr sz="3600" b="1"><a:solidFill><a:schemeClr val="{title}"/>'
            f'</a:solidFill><a:latin typeface="+mj-lt"/></a:defRPr></a:lvl1pPr></p:titleStyle>'
            f"<p:bodyStyle>{levels}</p:bodyStyle><p:otherStyle/></p:txStyles>")
        self.put("ppt/slideMasters/slideMaster1.xml", tree(
            "sldMaster", self.place("title", "title", 420000, 900000) + self.place("body", 'body" idx="1', 1440000, 4900000),
            f"<p:clrMap {colors}/><p:sldLayoutIdLst>{layouts}</p:sldLayoutIdLst>{styles}",
            '<p:bg><p:bgPr><a:solidFill><a:schemeClr val="bg1"/></a:solidFill><a:effectLst/></p:bgPr></p:bg>'), relations)
        for number, name, kind, shapes in (
            (1, "Title Slide", "title", self.place("title", "ctrTitle", 2100000, 1300000, "b")
             + self.place("subtitle", 'subTitle" idx="1', 3500000, 1200000)),
            (2, "Title and Content", "obj", self.place("title", "title", 420000, 900000)
             + self.place("content", None, 1440000, 4900000)),
        ):
            up = Relations()
            up.add(OFFICE + "/slideMaster", "../slideMasters/slideMaster1.xml")
            layout = tree("sldLayout", shapes, "<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>")
            layout = layout.replace("<p:cSld>", f'<p:cSld name="{name}">').replace(
                f"<p:sldLayout {NAMESPACES}>", f'<p:sldLayout {NAMESPACES} type="{kind}" preserve="1">')
            self.put(f"ppt/slideLayouts/slideLayout{number}.xml", layout, up)

    def place(self, name, kind, top, height, anchor="ctr"):
        place = 'idx="1"' if kind is None else f'type="{kind}"'
        anchor = anchor if name == "title" else "t"
        return (
            f'<p:sp><p:nvSpPr><p:cNvPr id="{2 if name == "title" else 3}" name="{name}"/><p:cNvSpPr>'
            f'<a:spLocks noGrp="1"/></p:cNvSpPr><p:nvPr><p:ph {place}/></p:nvPr></p:nvSpPr><p:spPr><a:xfrm>'
            f'<a:off x="685800" y="{top}"/><a:ext cx="{self.width - 2 * 685800}" cy="{height}"/></a:xfrm>'
            f'<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr><p:txBody><a:bodyPr anchor="{anchor}">'
            '<a:normAutofit/></a:bodyPr><a:lstStyle/><a:p><a:r><a:rPr lang="en-US"/><a:t> </a:t></a:r></a:p></p:txBody></p:sp>')

    def add_notes_master(self):
        relations = Relations()
        relations.add(OFFICE + "/theme", "../theme/theme2.xml")
        shapes = (
            '<p:sp><p:nvSpPr><p:cNvPr id="2" name="Slide"/><p:cNvSpPr><a:spLocks noGrp="1" noRot="1" noChangeAspect="1"/>'
            '</p:cNvSpPr><p:nvPr><p:ph type="sldImg" idx="2"/></p:nvPr></p:nvSpPr><p:spPr><a:xfrm>'
            '<a:off x="685800" y="1143000"/><a:ext cx="5486400" cy="3086100"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>'
            '</a:prstGeom></p:spPr></p:sp><p:sp><p:nvSpPr><p:cNvPr id="3" name="Notes"/><p:cNvSpPr>'
            '<a:spLocks noGrp="1"/></p:cNvSpPr><p:nvPr><p:ph type="body" idx="1"/></p:nvPr></p:nvSpPr><p:spPr><a:xfrm>'
            '<a:off x="685800" y="4400550"/><a:ext cx="5486400" cy="3600450"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>'
            '</a:prstGeom></p:spPr><p:txBody><a:bodyPr/><a:lstStyle/><a:p/></p:txBody></p:sp>')
        self.put("ppt/notesMasters/notesMaster1.xml",
                 tree("notesMaster", shapes, f'<p:clrMap {COLOR_MAP.format(bg="lt", tx="dk")}/>'), relations)
        self.put("ppt/theme/theme2.xml", theme(self.look))

    def add_properties(self):
        self.files["docProps/core.xml"] = (
            f'{HEAD}<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
            f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(self.title)}</dc:title>'
            f"<dc:creator>{escape(self.look.author)}</dc:creator></cp:coreProperties>")
        package = Relations()
        package.add(OFFICE + "/officeDocument", "ppt/presentation.xml")
        package.add("http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties",
                    "docProps/core.xml")
        self.files["_rels/.rels"] = package.xml()

    def types(self):
        kinds = {
            "ppt/presentation.xml": "presentation.main", "ppt/slides/": "slide", "ppt/slideMasters/": "slideMaster",
            "ppt/slideLayouts/": "slideLayout", "ppt/notesSlides/": "notesSlide", "ppt/notesMasters/": "notesMaster",
        }
        overrides = []
        for name in sorted(self.files):
            if not name.endswith(".xml"):
                continue
            kind = next((MAIN_TYPE + value + "+xml" for prefix, value in kinds.items() if name.startswith(prefix)), None)
            if name.startswith("ppt/theme/"):
                kind = "application/vnd.openxmlformats-officedocument.theme+xml"
            elif name == "docProps/core.xml":
                kind = "application/vnd.openxmlformats-package.core-properties+xml"
            overrides.append(f'<Override PartName="/{name}" ContentType="{kind}"/>')
        defaults = {".rels": "application/vnd.openxmlformats-package.relationships+xml", ".xml": "application/xml"}
        defaults.update({os.path.splitext(name)[1]: MEDIA_TYPES[os.path.splitext(name)[1]]
                         for name in self.files if name.startswith("ppt/media/")})
        return (HEAD + '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
                + "".join(f'<Default Extension="{ext[1:]}" ContentType="{kind}"/>' for ext, kind in defaults.items())
                + "".join(overrides) + "</Types>")


def tree(root, shapes, after, before=""):
    return (f"{HEAD}<p:{root} {NAMESPACES}><p:cSld>{before}<p:spTree>{EMPTY_TREE}{shapes}</p:spTree></p:cSld>{after}"
            f"</p:{root}>")


def theme(look):
    accents = [look.accent.upper(), "ED7D31", "70AD47", "FFC000", "5B9BD5", "A5A5A5"]
    colors = "".join(
        f'<a:{name}><a:srgbClr val="{value}"/></a:{name}>' for name, value in
        [("dk1", "1F2430"), ("lt1", "FFFFFF"), ("dk2", "2B3244"), ("lt2", "F0F2F6")]
        + [(f"accent{i}", value) for i, value in enumerate(accents, 1)]
        + [("hlink", "0563C1" if not look.dark else "8AB4F8"), ("folHlink", "954F72")])
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="9525">{fill}<a:prstDash val="solid"/></a:ln>'
    fonts = "".join(
        f'<a:{kind}Font><a:latin typeface="{escape(look.font)}"/><a:ea typeface=""/><a:cs typeface=""/></a:{kind}Font>'
        for kind in ("major", "minor"))
    return (f'{HEAD}<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name="Plain">'
            f'<a:themeElements><a:clrScheme name="Plain">{colors}</a:clrScheme><a:fontScheme name="Plain">{fonts}'
            f'</a:fontScheme><a:fmtScheme name="Plain"><a:fillStyleLst>{fill * 3}</a:fillStyleLst>'
            f"<a:lnStyleLst>{line * 3}</a:lnStyleLst><a:effectStyleLst>"
            + "<a:effectStyle><a:effectLst/></a:effectStyle>" * 3
            + f"</a:effectStyleLst><a:bgFillStyleLst>{fill * 3}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>")
