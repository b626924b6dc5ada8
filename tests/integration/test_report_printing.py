"""What comes out of the printer: pages as a reader finds them, printed by the real browser."""

import ctypes
import io
import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from datetime import date
from decimal import Decimal

import pikepdf
import pypdfium2
import pytest
from pypdfium2 import raw

from cluster.checks import find_browser
from core.adapters.chromium import ChromiumRenderer
from core.reports.broadsheet import broadsheet_of
from core.reports.bundle import bundle
from core.reports.card import Card, CardStyle, Signature
from core.reports.checking import check_card
from core.reports.faces import FAMILIES
from core.reports.layout import render_broadsheet, render_cards
from core.reports.ports import ImageSource, WrongContent
from core.reports.splitting import split
from core.reports.wording import name_of
from tests.factories.printing import FONTS, Images, NoImages, PageFound, colours_of, pages_of, picture
from tests.factories.reports import NAMES, cards, make_card

VERIFY = "https://school.example/verify"
STYLE = CardStyle()
DEADLINE_S = 60.0


class Press:
    """A browser as tests use it."""

    def __init__(self, renderer: ChromiumRenderer) -> None:
        """Take it."""
        self.renderer = renderer

    async def document(
        self, made: Sequence[Card], style: CardStyle = STYLE, images: ImageSource | None = None, verify: str = VERIFY
    ) -> bytes:
        """Print cards as one document."""
        html = await render_cards(made, style, images or NoImages(), verify_url=verify)
        return await self.renderer.render(html, tagged=style.tagged, deadline_s=DEADLINE_S)

    async def pages(self, card: Card, style: CardStyle = STYLE) -> list[PageFound]:
        """Print one card and read its pages."""
        return pages_of(await self.document([card], style))


@pytest.fixture(scope="session")
async def press(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Press]:
    """One browser for this test run."""
    program = find_browser()
    assert program, "there is no Chromium: run `make setup`"
    renderer = ChromiumRenderer(program, fonts=FONTS, folder=tmp_path_factory.mktemp("browser"))
    yield Press(renderer)
    await renderer.close()


@pytest.fixture(scope="session")
async def several(press: Press) -> tuple[list[Card], bytes, dict[str, bytes]]:
    """Cards of random lengths, the document they were printed as, and its parts."""
    made = cards(12, seed=5)
    document = await press.document(made)
    return made, document, split(document, [card.serial for card in made])


async def test_twelve_subjects_fit_on_one_page_of_a4(press: Press) -> None:
    """A card of twelve subjects is one page of A4 that says everything on it, within the page."""
    card = make_card()
    (page,) = await press.pages(card)
    assert [page.width, page.height] == pytest.approx([595, 842], abs=1)
    assert_inside(page)
    for subject in card.subjects:
        assert found(subject.name, page)
    for told in ("Kings College Lagos", "Spero lucem", "First Term", "2027/2028", "Monday 10 January 2028", "71.8"):
        assert found(told, page)
    for told in ("57of 65 days", "1stof 44", "Keep up the good work", "Punctuality", card.serial, "version 1"):
        assert found(told, page), told
    assert found(f"data {card.snapshot_hash[:12]}", page)


async def test_what_does_not_fit_goes_on_under_the_same_head_and_name(press: Press) -> None:
    """Fifty subjects take two pages; the second repeats the table's head and carries the student's name and serial."""
    line = make_card().subjects[0]
    subjects = tuple(line.model_copy(update={"name": f"Subject {number}"}) for number in range(50))
    card = make_card(subjects=subjects)
    first, second = await press.pages(card)
    for page in (first, second):
        assert_inside(page)
        assert found("Assignment", page)
        assert found(card.serial, page)
        assert found(f"{card.student.name} · {card.student.class_name}", page)
    split_at = [number for number in range(50) if re.search(rf"Subject\s*{number}\b", second.text)]
    assert split_at
    assert split_at == list(range(split_at[0], 50))


async def test_third_term_card_shows_the_session_and_the_decision(press: Press) -> None:
    """A third-term card shows each term, the session's average and whether the student is promoted."""
    card = next(card for card in cards(20, seed=3) if card.cumulative and len(card.subjects) == 12)
    pages = await press.pages(card)
    assert card.cumulative
    assert found("Session average", pages[0])
    assert found(card.cumulative.sentence, pages[0])
    assert found(f"{card.subjects[0].cumulative:.1f}", pages[0])


async def test_names_of_three_languages_are_whole(press: Press) -> None:
    """Every letter of Yoruba, Igbo and Hausa names is in the embedded font, with its marks, in both typefaces alone."""
    for face in FAMILIES:
        card = make_card(
            class_teacher_remark=" ".join(f"{family} {given}" for family, given, _ in NAMES),
            principal_remark="Ẹ̀bùn Ọ̀ṣun ńlá ḿ ǹ ị́ ụ̀ ṅ Ṅ ɓ ɗ ƙ ƴ Ɓ Ɗ Ƙ Ƴ ʼYa’uwa ₦",
        )
        pdf = await press.document([card], STYLE.model_copy(update={"font": face}))
        said = unicodedata.normalize("NFC", pages_of(pdf)[0].text)
        for letter in "ẹọṣịụṅɓɗƙƴƁƊƘƳʼ’₦":
            assert letter in said
        assert fonts_in(pdf) == {FAMILIES[face].replace(" ", "")}
        check_card(pdf, card)


async def test_absent_missing_and_shared_are_told_apart(press: Press) -> None:
    """Absent, not recorded and shared positions have signs of their own, and a legend."""
    made = [card for card in cards(60, seed=8) if any(line.absent for line in card.subjects)]
    card = next(card for card in made if any(line.missing for line in card.subjects) and card.position_shared)
    pages = await press.pages(card)
    said = " ".join(page.text for page in pages)
    assert "ABS: absent, counts as nothing scored" in said
    assert "—: not recorded" in said
    assert "=: position shared" in said


async def test_two_schools_look_different(press: Press) -> None:
    """A school's colours, crest, typeface and choices are on its cards, and another's are not."""
    images = Images({"a/logo.png": picture("#0f5132"), "b/sign.jpg": picture("#000080", kind="JPEG")})
    green = CardStyle(primary="#0f5132", accent="#e0b100", font="serif", logo_key="a/logo.png", show_trend=False)
    signed = Signature(title="Head of school", name="Dr Obi", image_key="b/sign.jpg")
    theirs = await press.document([make_card(signatures=(signed,))], green, images)
    ours = await press.document([make_card()])
    assert (15, 81, 50) in colours_of(theirs)
    assert (15, 81, 50) not in colours_of(ours)
    assert (31, 58, 95) in colours_of(ours)
    assert "NotoSerif" in fonts_in(theirs)
    assert fonts_in(ours) == {"NotoSans"}
    assert "term by term" not in pages_of(theirs)[0].text
    assert images_in(theirs) == 2


async def test_each_part_is_its_own_students(several: tuple[list[Card], bytes, dict[str, bytes]]) -> None:
    """Every part of a document of many holds its own student on each page and no other, and no page is lost."""
    made, document, parts = several
    for card in made:
        check_card(parts[card.serial], card)
        others = [other for other in made if other.serial != card.serial]
        said = "".join(page.text for page in pages_of(parts[card.serial]))
        assert not [other.serial for other in others if other.serial in said]
    assert sum(len(pages_of(part)) for part in parts.values()) == len(pages_of(document))


@pytest.mark.parametrize("serial", ["WWWW-WWWW-WWWW", "MMMM-MMMM-MMMM", "QGMW-DWMQ-GGMW", "1111-1111-1111"])
async def test_a_serial_of_any_letters_is_found(press: Press, serial: str) -> None:
    """A card passes its check whether its serial takes one line below the code or, of wide letters, two."""
    card = make_card(serial=serial)
    check_card(await press.document([card]), card)


async def test_a_wrong_part_is_found(several: tuple[list[Card], bytes, dict[str, bytes]]) -> None:
    """A neighbour's card, one with a neighbour's page behind it, and one that lacks its end are each refused."""
    made, _, parts = several
    long = next(card for card in made if len(pages_of(parts[card.serial])) == 2)
    other = next(card for card in made if card.serial != long.serial)
    own = parts[long.serial]
    for wrong in (parts[other.serial], rebuilt(own, parts[other.serial]), rebuilt(own, own, keep=1), b"%PDF-1.4"):
        with pytest.raises(WrongContent):
            check_card(wrong, long)


async def test_parts_keep_nothing_of_the_document(several: tuple[list[Card], bytes, dict[str, bytes]]) -> None:
    """A part has its own destination alone and says nothing of the others anywhere in its objects."""
    made, _, parts = several
    for card in made[:4]:
        with pikepdf.open(io.BytesIO(parts[card.serial])) as part:
            written = " ".join(str(each.unparse(resolved=True)) for each in part.objects)
        assert not [other for other in made if other.serial != card.serial and other.serial in written]


async def test_bundle_is_sorted_by_name(several: tuple[list[Card], bytes, dict[str, bytes]]) -> None:
    """A class's bundle holds every card once, by name without regard to marks, with a bookmark each."""
    made, document, parts = several
    whole = bundle((card, parts[card.serial]) for card in made)
    assert len(pages_of(whole)) == len(pages_of(document))
    with pikepdf.open(io.BytesIO(whole)) as opened, opened.open_outline() as outline:
        titles = [item.title for item in outline.root]
    assert len(titles) == len(made)
    families = ["Adébáyọ̀", "Ɗanjuma", "Nwachukwu", "Ògúnlẹ́yẹ", "Okafọ", "Ọkọrọ", "Onyekwere", "Ƴar'adua"]
    assert list(dict.fromkeys(title.split()[0] for title in titles)) == families


async def test_tagged_card_can_be_read_aloud(press: Press) -> None:
    """The accessible mode gives language, headings, a table with row and column heads, and words for pictures."""
    pdf = await press.document([make_card()], STYLE.model_copy(update={"tagged": True}))
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert document.Root.Lang == "en"
        assert document.Root.MarkInfo.Marked
        roles = [str(each.S) for each in document.objects if isinstance(each, pikepdf.Dictionary) and "/S" in each]
        words = [str(each.Alt) for each in document.objects if isinstance(each, pikepdf.Dictionary) and "/Alt" in each]
    assert {"/H1", "/H2", "/Table", "/TH", "/TD", "/Figure"} <= set(roles)
    assert any(word.startswith("Averages by term") for word in words)


async def test_tagged_cards_stay_tagged_in_a_bundle(press: Press) -> None:
    """In a bundle of tagged cards each page has its own structure, cells still name their heads; of mixed ones none."""
    made = cards(2, seed=11)
    tagged = [await press.document([card], STYLE.model_copy(update={"tagged": True})) for card in made]
    whole = bundle(zip(made, tagged, strict=True))
    in_order = sorted(zip(made, tagged, strict=True), key=lambda each: titles_of(whole).index(name_of(each[0])))
    assert structure_of(whole) == [page for _, pdf in in_order for page in structure_of(pdf)]
    with pikepdf.open(io.BytesIO(whole)) as document:
        assert document.Root.Lang == "en"
        named = [bytes(each) for each in document.Root.StructTreeRoot.IDTree.Names[::2]]
        heads = {
            bytes(head)
            for each in document.objects
            if isinstance(each, pikepdf.Dictionary) and isinstance(each.get("/A"), pikepdf.Array)
            for about in each.A
            for head in about.get("/Headers", [])
        }
    assert len(named) == len(set(named))
    assert heads
    assert heads <= set(named)
    with pikepdf.open(
        io.BytesIO(bundle(zip(made, [tagged[0], await press.document([made[1]])], strict=True)))
    ) as mixed:
        assert "/StructTreeRoot" not in mixed.Root


async def test_plain_card_is_not_tagged(press: Press) -> None:
    """Without the accessible mode there is no structure, which costs time and space."""
    with pikepdf.open(io.BytesIO(await press.document([make_card()]))) as document:
        assert "/StructTreeRoot" not in document.Root


async def test_draft_says_so_and_has_no_code(press: Press) -> None:
    """A card that is not finalised says that it is a draft, and can be checked for its student."""
    card = make_card().model_copy(update={"serial": "", "snapshot_hash": "", "finalised_on": None})
    pdf = await press.document([card])
    assert found("aft, not finalised", pages_of(pdf)[0])
    assert not found("Scan to check", pages_of(pdf)[0])
    check_card(pdf, card)


async def test_card_of_almost_nothing_prints(press: Press) -> None:
    """A card without marks, remarks, register, policy or figures is still a card."""
    card = make_card(
        subjects=(), attendance=None, overall_average=None, overall_grade=None, class_position=None, class_average=None,
        class_teacher_remark="", principal_remark="", next_term_begins=None, ratings=(), signatures=(), trend=(),
        policy=None,
    )  # fmt: skip
    check_card(await press.document([card], verify=""), card)


async def test_broadsheet_shows_all_and_repeats_its_head(press: Press) -> None:
    """A broadsheet lies across, holds every student and subject, and repeats its head on each page."""
    sheet = broadsheet_of(cards(40, seed=5))
    html = await render_broadsheet(sheet, STYLE, NoImages())
    pages = pages_of(await press.renderer.render(html, landscape=True, deadline_s=DEADLINE_S))
    assert len(pages) == 3
    said = "".join(page.text for page in pages)
    for page in pages:
        assert [page.width, page.height] == pytest.approx([842, 595], abs=1)
        assert_inside(page)
        assert "Student" in page.text
    assert not [row.student_no for row in sheet.rows if row.student_no not in said]
    assert "Class average" in pages[-1].text


@pytest.mark.parametrize("kind", ["report-card", "broadsheet"])
async def test_template_is_as_it_was_looked_at(press: Press, kind: str) -> None:
    """Words and their places on the page are those of the picture that was looked at and found good."""
    if kind == "report-card":
        (page,) = await press.pages(make_card(next_term_begins=date(2028, 1, 10), overall_average=Decimal("71.8")))
    else:
        html = await render_broadsheet(broadsheet_of(cards(8, seed=5)), STYLE, NoImages())
        (page,) = pages_of(await press.renderer.render(html, landscape=True, deadline_s=DEADLINE_S))
    wanted = GOLDEN[kind]
    for words, (left, top) in wanted.items():
        box = next(box for box in page.boxes if squeezed(box.text).startswith(squeezed(words)))
        assert [box.left, box.top] == pytest.approx([left, top], abs=3), words


GOLDEN: dict[str, dict[str, tuple[float, float]]] = {
    "report-card": {
        "3 Catholic Mission": (109, 75),
        "2027/2028": (505, 113),
        "Student no.": (33, 169),
        "Monday 10 January 2028": (283, 179),
        "71.8": (43, 212),
        "Attendance": (472, 200),
        "Assignment": (161, 245),
        "Mathematics": (38, 269),
        "Business Studies": (38, 479),
        "Handwriting": (215, 536),
        "Keep up the good work": (43, 644),
        "Scan to check": (493, 794),
        "JSS letters": (366, 820),
    },
    "broadsheet": {
        "Kings College": (29, 574),
        "2027/2028": (759, 40),
        "Student": (52, 165),
        "66": (195, 181),
        "JSS letters": (703, 574),
    },
}
"""Where words begin on the page, in points from its upper left corner."""


def assert_inside(page: PageFound) -> None:
    """Assert that no text leaves the page or its side margins, nor runs over other text."""
    for box in page.boxes:
        assert box.left >= 27, box
        assert box.right <= page.width - 27, box
        assert box.top >= 25, box
        assert box.bottom <= page.height - 8, box


def found(words: str, page: PageFound) -> bool:
    """Tell whether a page holds words, however they are parted."""
    return squeezed(words) in squeezed(page.text)


def squeezed(text: str) -> str:
    """Return text without blanks."""
    return "".join(text.split())


def fonts_in(pdf: bytes) -> set[str]:
    """Return the families of the fonts embedded in a document, all of which must be embedded."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        fonts = [each for each in document.objects if isinstance(each, pikepdf.Dictionary) and "/FontName" in each]
        assert fonts
        assert all("/FontFile2" in each for each in fonts)
        return {str(each.FontName).lstrip("/").split("+")[-1].split("-")[0] for each in fonts}


def titles_of(pdf: bytes) -> list[str]:
    """Return a document's bookmarks."""
    with pikepdf.open(io.BytesIO(pdf)) as document, document.open_outline() as outline:
        return [item.title for item in outline.root]


def structure_of(pdf: bytes) -> list[list[tuple[str, int]]]:
    """Return each page's structure as a reader finds it: kinds of parts, and which marks on the page are theirs."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [_structure_of_page(page) for page in document]


def _structure_of_page(page: pypdfium2.PdfPage) -> list[tuple[str, int]]:
    tree, found = raw.FPDF_StructTree_GetForPage(page.raw), list[tuple[str, int]]()

    def walk(element: object) -> None:
        kind = ctypes.create_string_buffer(100)
        raw.FPDF_StructElement_GetType(element, kind, 100)
        mark = raw.FPDF_StructElement_GetMarkedContentID(element)
        found.append((kind.raw.decode("utf-16-le").partition("\0")[0], mark))
        for number in range(raw.FPDF_StructElement_CountChildren(element)):
            if child := raw.FPDF_StructElement_GetChildAtIndex(element, number):
                walk(child)

    for number in range(raw.FPDF_StructTree_CountChildren(tree)):
        walk(raw.FPDF_StructTree_GetChildAtIndex(tree, number))
    raw.FPDF_StructTree_Close(tree)
    return [each for each in found if each[0] not in {"Document", "Part", ""}]


def images_in(pdf: bytes) -> int:
    """Return how many pictures a document holds."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return sum(
            1 for each in document.objects if isinstance(each, pikepdf.Stream) and each.get("/Subtype") == "/Image"
        )


def rebuilt(first: bytes, second: bytes, keep: int | None = None) -> bytes:
    """Return the first document's first page with the second's first behind it, or only so many of its own."""
    with pikepdf.new() as made, pikepdf.open(io.BytesIO(first)) as own, pikepdf.open(io.BytesIO(second)) as other:
        made.add_pages_from(own, [0])
        if keep is None:
            made.add_pages_from(other, [0])
        target = io.BytesIO()
        made.save(target)
        return target.getvalue()
