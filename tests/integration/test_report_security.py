"""A hostile card, school or document gets nothing out of the machine and reads nothing in it."""

import asyncio
import base64
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest

from cluster.checks import find_browser
from core.adapters.chromium import ChromiumRenderer
from core.reports.card import Card, CardSchool, CardStudent, CardStyle, Rating, Signature
from core.reports.checking import check_card
from core.reports.layout import render_cards
from core.reports.ports import RenderFailed
from tests.factories.printing import FONTS, Images, NoImages, pages_of, picture
from tests.factories.reports import make_card

DEADLINE_S = 30.0
SECRET = "the-secret-of-this-machine"


@dataclass(slots=True)
class Listener:
    """A server that hears every connection and every datagram, on loopback."""

    tcp: socket.socket
    udp: socket.socket
    heard: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Return the port of both."""
        return int(self.tcp.getsockname()[1])

    def listen(self) -> None:
        """Note each connection with the first it says, and answer it."""
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    self.heard.append(connection.recv(200).decode(errors="replace"))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    self.heard.append("a connection")

    def listen_for_names(self) -> None:
        """Note each datagram."""
        while True:
            try:
                self.heard.append(repr(self.udp.recv(500)))
            except OSError:
                return


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """A listening server of this module."""
    tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    tcp.bind(("127.0.0.1", 0))
    tcp.listen(50)
    made = Listener(tcp, udp)
    udp.bind(("127.0.0.1", made.port))
    threads = [Thread(target=made.listen, daemon=True), Thread(target=made.listen_for_names, daemon=True)]
    for thread in threads:
        thread.start()
    yield made
    for each in (tcp, udp):
        with contextlib.suppress(OSError):  # a socket without a peer says so, and is woken all the same
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@pytest.fixture(scope="module")
async def renderer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromiumRenderer]:
    """A browser of this module."""
    program = find_browser()
    assert program, "there is no Chromium: run `make setup`"
    made = ChromiumRenderer(program, fonts=FONTS, folder=tmp_path_factory.mktemp("browser"))
    yield made
    await made.close()


def corpus(at: str) -> dict[str, str]:
    """Return hostile markup by what it tries; ``at`` is where it calls."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{at}/svg-data"/></svg>'
    return {
        "script": f"<script>fetch('{at}/script');new Image().src='{at}/script'</script>",
        "handler": f"<img src=x onerror=\"this.src='{at}/handler'\">",
        "image": f"<img src='{at}/img' srcset='{at}/srcset 2x'>",
        "frame": f"<iframe src='{at}/iframe'></iframe><iframe srcdoc=\"<img src='{at}/srcdoc'>\"></iframe>",
        "object": f"<object data='{at}/object'></object><embed src='{at}/embed'>",
        "import": f"<style>@import url('{at}/import.css');body{{background:url('{at}/background')}}</style>",
        "font": f"<style>@font-face{{font-family:x;src:url('{at}/font')}}p{{font-family:x}}</style><p>x</p>",
        "inline style": f"<div style=\"background:url('{at}/style');list-style-image:url({at}/list)\">x</div>",
        "link": "".join(
            f"<link rel='{rel}' href='{at}/{rel}'>"
            for rel in ("stylesheet", "prefetch", "preconnect", "dns-prefetch", "preload", "prerender", "icon")
        ),
        "names": "<link rel='dns-prefetch' href='//leak.example.com'><img src='http://leak.example.com/x'>",
        "refresh": f"<meta http-equiv='refresh' content='0;url={at}/refresh'>",
        "base": f"<base href='{at}/'><img src='relative'>",
        "svg": f"<svg><image href='{at}/svg'/><use href='{at}/use#x'/><foreignObject><img src='{at}/fo'>"
        "</foreignObject></svg>",
        "svg in data": f"<img src='data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}'>",
        "form": f"<form action='{at}/form'><input autofocus type=image src='{at}/input'></form>",
        "media": f"<video src='{at}/video' poster='{at}/poster' autoplay></video><audio src='{at}/a' autoplay></audio>",
        "metadata": "<img src='http://169.254.169.254/latest/meta-data/'><iframe src='http://[fd00:ec2::254]/'></iframe>",
    }


async def test_document_that_calls_out_is_not_heard(listener: Listener, renderer: ChromiumRenderer) -> None:
    """Nothing in the corpus, as it stands and with no policy of its own, makes one connection; all but two print."""
    at = f"http://127.0.0.1:{listener.port}"
    refused: dict[str, str] = {}
    for name, markup in corpus(at).items():
        try:
            pdf = await renderer.render(f"<!doctype html><p>printed</p>{markup}", deadline_s=DEADLINE_S)
            assert pdf.startswith(b"%PDF")
        except RenderFailed as error:
            refused[name] = error.message
    assert set(refused) <= {"font", "refresh"}, "a font that can't be had and a page that leaves may be refused"
    await asyncio.to_thread(_call, listener)
    assert listener.heard == ["a check"]
    listener.heard.clear()


async def test_browser_looks_up_no_name_and_reaches_no_address(listener: Listener, renderer: ChromiumRenderer) -> None:
    """While a document asks for names and addresses, none of the browser's sockets leaves the machine."""
    await renderer.render(corpus("http://leak.example.com")["link"], deadline_s=DEADLINE_S)
    assert not listener.heard
    assert renderer.pid
    assert not _sockets_of_group(renderer.pid)


async def test_document_reads_no_file(renderer: ChromiumRenderer, tmp_path: Path) -> None:
    """A file of this machine can't be shown: not in a frame, as an object, a style or a picture."""
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    address = secret.as_uri()
    html = (
        f"<!doctype html><p>printed</p><iframe src='{address}' width=500></iframe><object data='{address}'></object>"
        f"<embed src='{address}'><link rel=import href='{address}'><img src='{address}'><iframe src='file:///etc/passwd'>"
    )
    said = "".join(page.text for page in pages_of(await renderer.render(html, deadline_s=DEADLINE_S)))
    assert "printed" in said
    assert SECRET not in said
    assert "root:" not in said


async def test_document_runs_no_script(renderer: ChromiumRenderer) -> None:
    """A script in a document does nothing, and what stands for those without scripts is shown."""
    html = "<!doctype html><p id=a>before</p><script>a.textContent='after'</script><noscript>none ran</noscript>"
    said = pages_of(await renderer.render(html, deadline_s=DEADLINE_S))[0].text
    assert "before" in said
    assert "none ran" in said
    assert "after" not in said


async def test_hostile_records_print_as_they_are_written(listener: Listener, renderer: ChromiumRenderer) -> None:
    """Markup in every text of a card is printed as text; none of it is markup in the document, and none calls out."""
    at = f"http://127.0.0.1:{listener.port}"
    for name, markup in corpus(at).items():
        card = _hostile(markup)
        html = await render_cards([card], CardStyle(), NoImages(), verify_url="https://school.example/v")
        assert markup not in html, name
        assert at not in html.split("<style>", 1)[1].split("</style>", 1)[0], name
        if name in {"script", "import", "svg"}:
            pdf = await renderer.render(html, deadline_s=DEADLINE_S)
            check_card(pdf, card)
            assert markup[:8] in "".join("".join(page.text.split()) for page in pages_of(pdf)), name
    assert not listener.heard


async def test_style_sheet_cannot_be_left(renderer: ChromiumRenderer) -> None:
    """A name that would end a string, a rule or the style sheet itself is shown below the page as it is written."""
    name = 'Ada"; } </style><h1>Forged</h1><style> @page { margin: 0 } \\a'
    card = make_card().model_copy(update={"student": make_card().student.model_copy(update={"name": name})})
    html = await render_cards([card], CardStyle(), NoImages(), verify_url="")
    assert html.count("</style>") == 1
    pdf = await renderer.render(html, deadline_s=DEADLINE_S)
    check_card(pdf, card)
    assert 'Ada";}</style><h1>Forged' in "".join(pages_of(pdf)[0].text.split())


async def test_name_of_a_megabyte_is_cut(renderer: ChromiumRenderer) -> None:
    """A name of a megabyte is cut to what a card is wide, and the card still prints on one page."""
    student = make_card().student.model_copy(update={"name": "Ọlá" * 350_000})
    card = make_card().model_copy(update={"student": student})
    html = await render_cards([card], CardStyle(), NoImages(), verify_url="")
    assert len(html) < 1_000_000
    pdf = await renderer.render(html, deadline_s=DEADLINE_S)
    check_card(pdf, card)
    assert len(pages_of(pdf)) == 1


async def test_only_checked_pictures_are_shown(renderer: ChromiumRenderer) -> None:
    """An SVG, a page, a huge or a broken picture and an address in place of a key are left out; the card prints."""
    wrong = {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
        "html": b"<!doctype html><script>1</script>",
        "huge": picture(size=(6_000, 6_000)),
        "broken": picture()[:200],
        "long": b"\x89PNG\r\n\x1a\n" + bytes(5 * 1024 * 1024),
    }
    images = Images({**wrong, "good": picture(kind="JPEG")})
    for key in (*wrong, "http://169.254.169.254/", "file:///etc/passwd"):
        signed = (Signature(title="Principal", image_key=key), Signature(title="Teacher", image_key="good"))
        html = await render_cards([make_card(signatures=signed)], CardStyle(logo_key=key), images, verify_url="")
        assert html.count("data:image/") == 1, key
        assert "169.254" not in html
        assert "/etc/passwd" not in html
    assert (await renderer.render(html, deadline_s=DEADLINE_S)).startswith(b"%PDF")


def _hostile(markup: str) -> Card:
    made = make_card()
    return made.model_copy(
        update={
            "student": CardStudent(
                name=markup, student_no="KCL/1", class_name=markup, gender=markup, avatar_url=markup, id="1"
            ),
            "school": CardSchool(name=markup, address=f"{markup}\n{markup}", motto=markup, logo=markup, phone=markup),
            "term": markup,
            "principal_remark": markup,
            "class_teacher_remark": markup,
            "principal": markup,
            "subjects": tuple(
                line.model_copy(update={"name": markup, "teacher_remark": markup, "grade": markup})
                for line in made.subjects[:2]
            ),
            "ratings": (Rating(group="affective", name=markup, score=3),),
            "signatures": (Signature(title=markup, name=markup, image_key=markup),),
        }
    )


def _call(listener: Listener) -> None:
    """Connect, so that the listener is shown to hear, and that all before it has been heard."""
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.sendall(b"a check")
        connection.recv(100)


def _sockets_of_group(leader: int) -> list[str]:
    """Return the internet sockets that processes of a group have open."""
    inodes = {line.split()[9] for kind in ("tcp", "tcp6", "udp", "udp6") for line in _table(kind)}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == leader:
                links = [str(each.readlink()) for each in (process / "fd").iterdir()]
                found += [link for link in links if link.removeprefix("socket:[").rstrip("]") in inodes]
        except OSError:
            continue  # it ended meanwhile
    return found


def _table(kind: str) -> list[str]:
    return Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
