"""Tell whose garments of a photo are meant: those of the main person, of another, or of all."""

from collections.abc import Sequence

from indexer.description.describe import DescribedGarment
from indexer.errors import QueryError
from search.answer_facts import not_in_photo

EVERYBODY, MAIN = "all", "main"


def check_person(asked: str | int) -> None:
    """Raise QueryError for what names no person."""
    is_number = isinstance(asked, int) and not isinstance(asked, bool) and asked >= 0
    if not is_number and asked not in (EVERYBODY, MAIN):
        raise QueryError(
            f"person {asked!r}; one of {MAIN}, {EVERYBODY}, or a person's number in the photo"
        )


def prominence(garment: DescribedGarment) -> float:
    """Return how much a garment stands out: large and surely seen."""
    x1, y1, x2, y2 = garment.xyxy
    return float(garment.confidence * float((x2 - x1) * (y2 - y1)) ** 0.5)


def main_person(garments: Sequence[DescribedGarment]) -> int | None:
    """Return the number of the main person who wears a garment; None where nobody wears them.

    A mannequin beside passers-by is what the photo is of when its garment stands out most.
    """
    worn = [each for each in garments if each.person is not None]
    unworn = [each for each in garments if each.person is None]
    if not worn:
        return None
    main = min(each.person for each in worn if each.person is not None)
    stands_out = max(prominence(each) for each in worn if each.person == main)
    return None if any(prominence(each) > stands_out for each in unworn) else main


def choose_person(garments: Sequence[DescribedGarment], asked: str | int) -> list[int]:
    """Return the numbers of one person's garments, of the `main` one's, or `all`.

    Raises QueryError for a person who is not in the photo.
    """
    if asked == EVERYBODY:
        return list(range(len(garments)))
    if isinstance(asked, int):
        _check_is_there(garments, asked)
    whose = main_person(garments) if asked == MAIN else asked
    return [i for i, each in enumerate(garments) if each.person == whose]


def choose_garments(
    garments: Sequence[DescribedGarment], asked: str | int, person: str | int = EVERYBODY
) -> list[int]:
    """Return the numbers of a photo's garments: one by its number, those of a slot, or `all`.

    Of one person where one is asked for; of a slot, the main person's come first. A whole photo
    that stands for a garment is of any slot. Raises QueryError for a number that no garment has,
    and for a person who is not in the photo, or does not wear it.
    """
    of_person = choose_person(garments, person)
    if isinstance(asked, int):
        if asked >= len(garments):
            raise QueryError(
                f"the photo has no garment {asked}; its garments are 0 to {len(garments) - 1}"
            )
        if isinstance(person, int) and asked not in of_person:
            raise QueryError(
                f"garment {asked} is {worn_by(garments[asked])}, not on person {person}; ask for "
                "one of them only"
            )
        return [asked]
    chosen = [i for i in of_person if asked in ("all", garments[i].slot) or garments[i].is_fallback]
    if asked != "all":
        main = main_person(garments)
        chosen.sort(key=lambda i: garments[i].person != main)  # stable
    return chosen


def worn_by(garment: DescribedGarment) -> str:
    """Return the words for whose a garment is: `on person 1`."""
    return "on nobody" if garment.person is None else f"on person {garment.person}"


def none_found(
    garments: Sequence[DescribedGarment], asked: str | int, person: str | int = EVERYBODY
) -> str:
    """Return the warning that a photo shows no garment as it was asked for, and what it shows."""
    of_person = [garments[i] for i in choose_person(garments, person)]
    if not isinstance(person, int):
        return not_in_photo(str(asked), (each.slot for each in of_person))
    if of_person:
        shown = ", ".join(sorted({each.slot for each in of_person}))
        return f"no {asked} was found on person {person}; they wear: {shown}"
    wearing = sorted({each.person for each in garments if each.person is not None})
    others = ", ".join(map(str, wearing)) or "nobody"
    return f"no garment was found on person {person}; persons with garments: {others}"


def _check_is_there(garments: Sequence[DescribedGarment], asked: int) -> None:
    people = garments[0].people if garments else ()
    if asked < len(people):
        return
    there = f"its people are 0 to {len(people) - 1}" if len(people) > 1 else "it shows one, 0"
    raise QueryError(
        f"the photo has no person {asked}; "
        f"{there if people else 'nobody was found in it, so leave out the person'}"
    )
