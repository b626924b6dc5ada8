"""What teachers of a simulated school write on cards: words by how a student did, and ratings. Pure.

It follows from the marks and changes none of them, so it may be reworded without making another world.
"""

BANDS = (75, 60, 50, 40, 0)
"""Lowest averages of the five ways to speak of a term."""

CLASS_TEACHER = (
    (
        "{first_name} has had an excellent term. {He_She} is a model to the class.",
        "An outstanding result. {first_name} works with care and helps others.",
        "{first_name} is first with {his_her} work and never careless. Keep it up.",
    ),
    (
        "A very good term. {first_name} can reach the top with a little more reading.",
        "{first_name} is attentive and steady. {His_Her} written work has improved.",
        "Very good. {first_name} should take part more when the class discusses.",
    ),
    (
        "A fair term. {first_name} must finish {his_her} assignments on time.",
        "{first_name} understands more than {his_her} marks show. More practice will tell.",
        "Good in parts. {He_She} should ask when something is not clear.",
    ),
    (
        "{first_name} has passed, but can do better. {He_She} needs a plan for reading at home.",
        "A weak term. {first_name} is easily distracted and must sit up.",
    ),
    (
        "{first_name} needs help now. Please see the class teacher about {his_her} reading.",
        "A poor result. {He_She} was often without {his_her} work; let us talk.",
    ),
)
PRINCIPAL = (
    ("An excellent result. Congratulations.", "Outstanding. The school is proud of {first_name}."),
    ("A very good result. Keep it up.", "Well done. Aim higher."),
    ("A good result. There is room to improve.", "Satisfactory. Work harder next term."),
    ("A fair result. Much more effort is needed.", "{first_name} can do better than this."),
    ("A poor result. Parents are invited to see the principal.", "This must improve next term."),
)
SUBJECT = (
    ("Excellent performance", "Outstanding", "A pleasure to teach"),
    ("Very good work", "Steady and careful", "Well done"),
    ("Good effort", "Should practise more", "Can do better"),
    ("Needs to revise more", "Homework is often late"),
    ("Needs help at once", "Must attend the extra lessons"),
)


def band_of(average: float) -> int:
    """Return which way of speaking suits an average: 0 for the best."""
    return next(place for place, floor in enumerate(BANDS) if average >= floor)


def filled(text: str, given: str, gender: str) -> str:
    """Return a remark with a student's name and pronouns in it."""
    he, him, his = ("he", "him", "his") if gender == "male" else ("she", "her", "her")
    words = {"first_name": given.split(maxsplit=1)[0], "he_she": he, "him_her": him, "his_her": his}
    return text.format(**words, **{name.title(): word.capitalize() for name, word in words.items() if "_" in name})
