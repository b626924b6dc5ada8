"""Names of people, from several traditions of Nigeria, in their own spelling (NFC)."""

import unicodedata
from dataclasses import dataclass

from core.school.simulator.dice import Dice


@dataclass(frozen=True, slots=True)
class Tradition:
    """Names that go together, and the language a family of it most often reads."""

    family: tuple[str, ...]
    female: tuple[str, ...]
    male: tuple[str, ...]
    language: str
    english_name_share: float
    """How many carry an English name beside their own."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFC", text).split())


TRADITIONS = {
    "yoruba": Tradition(
        _names(
            "Adébáyọ̀ Adéyẹmí Adéwálé Adélékè Ajàyí Àkàndé Akínwándé Akíntúndé Àlàbí Aríyọ̀ Ayọ̀délé Bánkọ́lé Ẹniọlá "
            "Fálànà Fásholá Ìdòwú Kúforíjì Ládiípọ̀ Ògúnbánjọ Ògúndélé Ògúnlẹ́yẹ Ọláníyan Ọlátúnjí Olúwọlé Ọmọtọ́shọ̀ "
            "Ọ̀ṣúntókun Oyèdépò Oyèlárán Ṣóbándé Ṣówándé Títílọlá"
        ),
        _names(
            "Abọ́sẹ̀dé Adéọlá Àbẹ̀kẹ́ Ayọ̀midé Bọ́lánlé Damilọlá Ẹ̀bùn Fọlákẹ́ Fúnmiláyọ̀ Ìbùkúnolúwa Ìyábọ̀ Kẹ́hìndé Mojísọlá "
            "Mọ́ráyọ̀ Olúwafúnmi Ọláwùmí Ọmọ́túndé Ronkẹ́ Ṣadé Ṣọlápé Táíwò Tèmítọ́pẹ́ Títílayọ̀ Yétúndé"
        ),
        _names(
            "Adébọ̀wálé Adékúnlé Akínọlá Ayọ̀bámi Ayọ̀délé Babátúndé Bámidélé Dámiláre Fẹ́mi Fọlárìn Gbénga Ìdòwú Káyọ̀dé "
            "Kẹ́hìndé Olúmidé Olúwaṣeun Ọláolúwa Ọlámidé Ọlátúndé Ṣẹ́gun Ṣọlá Táíwò Tóbi Tèmítọ́pẹ́ Túndé Wọlé"
        ),
        "yo",
        0.35,
    ),
    "igbo": Tradition(
        _names(
            "Aniagolu Anyanwụ Chukwu Chukwuma Ebeledike Egbuna Ekwueme Eze Ezeigbo Ezeokoli Ibekwe Igwe Ikenga Madụ "
            "Maduakọ Mbah Njọkụ Nnamani Nwachukwu Nwafọ Nwankwọ Nwosu Obi Ọbiọha Ọdịnaka Ogbonna Okafọ Okeke Okonkwọ "
            "Ọkọrọ Okoye Onuọha Onyekwere Ụdeh Ụzọma"
        ),
        _names(
            "Adaeze Adaọbi Adaọra Amarachi Chiamaka Chidịnma Chikaodịnaka Chimamanda Chinaza Chinyere Chiọma Ebele "
            "Ezinne Ginikanwa Ifeọma Ijeọma Kosisọchukwu Mmesọma Ngọzi Nkechi Nkiruka Nneka Ọgechi Oluchi Onyinye "
            "Somtochukwu Ụchechi Ụjụnwa"
        ),
        _names(
            "Azubụike Chibụike Chidi Chidubem Chiemeka Chigọzie Chijioke Chinedu Chukwuemeka Chukwudi Ebuka Emeka "
            "Ifeanyị Ikechukwu Ikenna Kanayọ Kelechi Kenechukwu Mmadụabụchi Nnamdi Nonso Ọbinna Okechukwu Onyekachi "
            "Tobechukwu Ụchenna Ụgochukwu"
        ),
        "ig",
        0.5,
    ),
    "hausa": Tradition(
        _names(
            "Abdullahi Abubakar Adamu Aliyu Bala Bello Buba Ɗahiru Ɗanjuma Ɗanladi Ɗanlami Garba Gambo Haruna Idris "
            "Iliyasu Jibril Kabiru Lawal Maigari Mohammed Musa Sani Shehu Sule Tanko Umar Usman Wada Yaƙubu Yusuf"
        ),
        _names(
            "A'isha Amina Asma'u Bilƙisu Faɗima Firdausi Habiba Hadiza Halima Hannatu Hauwa Jamila Khadija Ladidi "
            "Maimuna Maryam Nana Rabi'atu Rahama Ruƙayya Sa'adatu Safiya Salamatu Umma Zainab Zulaihat"
        ),
        _names(
            "Abdulkarim Abdulrahman Ahmad Aminu Auwal Bashir Ɗayyabu Faruƙ Habibu Hamza Hassan Hussaini Ibrahim "
            "Isma'il Kamal Mahmud Mansur Mubarak Mustafa Mu'azu Nasiru Nura Sadiƙ Salihu Suleiman Tijjani Usman Yahaya "
            "Zubairu"
        ),
        "ha",
        0.05,
    ),
    "southern": Tradition(
        _names(
            "Aghedo Akpan Asuquo Bassey Edet Effiong Egwu Ekpo Erhabor Essien Etim Eyo Gbenedio Ighodaro Ikpeba Inyang "
            "Iyamu Obaseki Odili Ogbemudia Okon Okpara Omoregie Orubu Osagie Terhemba Tudonu Ufot Uwaifo Whyte"
        ),
        _names(
            "Arit Avbere Ebiere Efe Ejiro Ekaette Emem Enobong Eseosa Idara Imaobong Isoken Itohan Iwuese Mfon "
            "Nseobong Ofonime Oghenekevwe Omolegho Osasere Preye Tamara Uduak Utibe"
        ),
        _names(
            "Aondona Ebikeme Edidiong Efosa Ekemini Eniola Idongesit Inimfon Iyobosa Kufre Mkpouto Nosakhare Oghenero "
            "Osaze Osamudiamen Otobong Ovie Perekeme Tamuno Tega Terver Timi Ubong Uwem"
        ),
        "pcm",
        0.6,
    ),
}

_ENGLISH = {
    "female": _names("Blessing Deborah Esther Favour Gift Glory Grace Joy Mercy Patience Peace Precious Ruth Victoria"),
    "male": _names("Daniel David Emmanuel Gabriel Isaac John Joseph Joshua Michael Paul Peter Samuel Victor Wisdom"),
}


def family_name(dice: Dice, tradition: str) -> str:
    """Return a family name of a tradition."""
    return dice.pick(TRADITIONS[tradition].family)


def given_names(dice: Dice, tradition: str, gender: str) -> str:
    """Return the given names of a person: one of the tradition, sometimes a second or an English one."""
    own = TRADITIONS[tradition].female if gender == "female" else TRADITIONS[tradition].male
    first = dice.pick(own)
    if dice.happens(TRADITIONS[tradition].english_name_share):
        return f"{first} {dice.pick(_ENGLISH[gender])}"
    second = dice.pick(own)
    return f"{first} {second}" if dice.happens(0.4) and second != first else first


def ascii_word(name: str) -> str:
    """Return the first word of a name in lower-case ASCII letters, for an address: ``Ọlátúnjí`` is ``olatunji``."""
    folded = name.translate(str.maketrans("ɗƙɓƊƘƁ", "dkbDKB"))
    plain = unicodedata.normalize("NFD", folded.split()[0])
    return "".join(letter for letter in plain.lower() if letter.isascii() and letter.isalpha())
