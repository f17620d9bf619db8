"""What made-up people wear together is learned, and how well that is measured: by known answers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.fused_vector import Layout, unit_rows
from indexer.garments import Slot
from search.recommend.compatibility import Compatibility
from training.heads.outfit_evaluation import (
    ASKED,
    SHIPPED,
    Measured,
    evaluate_outfits,
    outfit_table,
    places,
)
from training.heads.outfit_fit import RANK, RIDGE, canonical, mutual_information
from training.heads.outfit_photos import LEAST_PAIRS, Wardrobe
from training.heads.outfits import ENOUGH_PAIRS, PAIRS, learn

LAYOUT = Layout(RANK + 2, 12, 1)
STYLES = 4  # each with a colour and a kind of its own in every slot
PEOPLE = 200  # in top, bottom and outer
DRESSED = 60  # in dress and outer
SLOTS: tuple[Slot, ...] = ("top", "bottom", "dress", "outer")


def made_up(told: Sequence[str] = ("colour", "category"), seed: int = 0) -> Wardrobe:
    """Dress people by style: what is told is the style's, the rest anyone's."""
    rng = np.random.default_rng(seed)
    worn = [("top", i) for i in range(PEOPLE)] + [("bottom", i) for i in range(PEOPLE)]
    worn += [("outer", i) for i in range(PEOPLE + DRESSED)]
    worn += [("dress", i) for i in range(PEOPLE, PEOPLE + DRESSED)]
    slot = np.array([name for name, _ in worn])
    person = np.array([i for _, i in worn])
    style = {
        part: person % STYLES if part in told else rng.integers(0, STYLES, len(worn))
        for part in ("colour", "category")
    }
    # No style has one colour twice: by likeness alone nobody is dressed.
    shift = np.array([SLOTS.index(name) for name in slot])
    colour = (style["colour"] + STYLES * (shift % 3)) % 12
    histograms = 0.2 * rng.random((len(worn), LAYOUT.colour))
    histograms[np.arange(len(worn)), colour] += 1
    looks = rng.normal(size=(len(worn), LAYOUT.visual))
    parts = (unit_rows(looks.astype(np.float32)), unit_rows(histograms.astype(np.float32)))
    return Wardrobe(
        "made up",
        photo=np.array([f"person {i}" for i in person]),
        slot=slot,
        category=np.array(
            # Kinds of one style are sorted otherwise in each slot, and end with their style.
            [
                f"{s} {(k + n) % STYLES} {k}"
                for s, n, k in zip(slot, shift, style["category"], strict=True)
            ],
            np.str_,
        ),
        colour=np.array([("red", "blue", "navy", "")[k] for k in style["colour"]]),
        held_out=person % 5 == 0,
        vectors=np.concatenate([*parts, np.zeros((len(worn), 1), np.float32)], axis=1),
    )


def shuffled(wardrobe: Wardrobe, seed: int = 1) -> Wardrobe:
    """Let those who are learned from change clothes; the held-out ones keep theirs."""
    rng, photo = np.random.default_rng(seed), wardrobe.photo.copy()
    for slot in SLOTS:
        rows = np.flatnonzero(~wardrobe.held_out & (wardrobe.slot == slot))
        photo[rows] = rng.permutation(photo[rows])
    return replace(wardrobe, photo=photo)


def mean_places(wardrobe: Wardrobe, learned_from: Wardrobe) -> dict[str, float]:
    """Return the mean place of the true partner by each way to rank."""
    tables = Compatibility(learn(learned_from, LAYOUT))
    found: dict[str, list[NDArray[np.float64]]] = {}
    for each in evaluate_outfits(wardrobe, LAYOUT, tables):
        found.setdefault(each.way, []).append(each.places)
    return {way: float(np.concatenate(each).mean()) for way, each in found.items()}


@pytest.mark.parametrize("told", [("colour", "category"), ("colour",), ("category",)])
def test_what_is_worn_together_is_learned(told: tuple[str, ...]) -> None:
    wardrobe = made_up(told)
    place = mean_places(wardrobe, wardrobe)
    # Among a quarter of the gallery, which is of the right style, it is anywhere: an eighth.
    assert 0.1 < place[SHIPPED] < 0.25
    assert place[SHIPPED] < place["same colours"]
    lost = mean_places(wardrobe, shuffled(wardrobe))
    assert 0.4 < lost[SHIPPED] < 0.6


def test_worn_together_scores_higher_than_never_worn_together() -> None:
    wardrobe = made_up()
    matching = Compatibility(learn(wardrobe, LAYOUT))
    for first, second in (*PAIRS, *((two, one) for one, two in PAIRS)):
        (one, others) = (
            np.flatnonzero(wardrobe.held_out & (wardrobe.slot == slot))[:8]
            for slot in (first, second)
        )
        for row in one:
            style = wardrobe.category[row][-1]
            scores = matching.scores(
                LAYOUT, wardrobe.vectors[row], str(wardrobe.category[row]), (first, second),
                wardrobe.vectors[others], wardrobe.category[others].tolist(),
            )  # fmt: skip
            together = np.array([name[-1] == style for name in wardrobe.category[others]])
            assert 0 < together.sum() < len(others)
            assert scores[together].min() > 0.5 > scores[~together].max()


def test_nothing_is_learned_from_who_is_held_out() -> None:
    wardrobe, rng = made_up(), np.random.default_rng(3)
    vectors, category = wardrobe.vectors.copy(), wardrobe.category.copy()
    held = wardrobe.held_out
    vectors[held] = rng.random(vectors[held].shape)
    category[held] = "other"
    tables = learn(wardrobe, LAYOUT)
    for slots, table in learn(
        replace(wardrobe, vectors=vectors, category=category), LAYOUT
    ).items():
        assert table.categories == tables[slots].categories
        for name in ("means", "maps", "affinity", "fit", "usual"):
            assert np.array_equal(getattr(table, name), getattr(tables[slots], name)), name


def test_pairs_are_of_one_person_on_one_side() -> None:
    wardrobe = made_up()
    seen = []
    for held_out in (False, True):
        pairs = wardrobe.pairs("top", "outer", held_out)
        assert (wardrobe.photo[pairs[:, 0]] == wardrobe.photo[pairs[:, 1]]).all()
        assert (wardrobe.slot[pairs] == ["top", "outer"]).all()
        assert (wardrobe.held_out[pairs] == held_out).all()
        seen.append(set(wardrobe.photo[pairs[:, 0]]))
    assert not seen[0] & seen[1]
    assert len(seen[0] | seen[1]) == PEOPLE
    assert wardrobe.pairs("top", "dress", held_out=False).shape == (0, 2)


def test_too_few_pairs_are_refused_by_name() -> None:
    wardrobe = made_up()
    rows = np.flatnonzero((wardrobe.slot == "dress") & ~wardrobe.held_out)
    slot = wardrobe.slot.copy()
    slot[rows[LEAST_PAIRS:]] = "none"
    learn(replace(wardrobe, slot=slot), LAYOUT)
    slot[rows[LEAST_PAIRS - 1 :]] = "none"
    words = r"9 photos to learn from show both dress and outer, at least 10 are needed"
    with pytest.raises(ValueError, match=words):
        learn(replace(wardrobe, slot=slot), LAYOUT)


def test_shoes_are_learned_of_where_enough_people_show_them() -> None:
    wardrobe = made_up()
    shoes = np.flatnonzero(wardrobe.slot == "bottom")
    both = np.concatenate([np.arange(len(wardrobe.slot)), shoes])
    wardrobe = replace(wardrobe, **{
        name: getattr(wardrobe, name)[both]
        for name in ("photo", "category", "colour", "held_out", "vectors")
    }, slot=np.concatenate([wardrobe.slot, np.full(len(shoes), "shoes")]))  # fmt: skip
    assert {*learn(wardrobe, LAYOUT)} == {*PAIRS, ("top", "shoes"), ("bottom", "shoes"),
                                          ("outer", "shoes")}  # fmt: skip
    matching = Compatibility(learn(wardrobe, LAYOUT))
    asked = [each.slots for each in evaluate_outfits(wardrobe, LAYOUT, matching)]
    assert ("top", "shoes") in asked
    assert ("dress", "shoes") not in asked
    few = wardrobe.slot.copy()
    few[np.flatnonzero(few == "shoes")[ENOUGH_PAIRS - 1 :]] = "none"
    assert {*learn(replace(wardrobe, slot=few), LAYOUT)} == {*PAIRS}


def test_places_are_counted_from_the_best() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.2, 0.3, 0.4]], np.float32)
    assert places(scores, np.array([0, 2, 1])).tolist() == [0, 2, 1]
    alike = places(np.ones((400, 101), np.float32), np.arange(400) % 101)
    assert 45 < alike.mean() < 55
    assert alike.min() < 5
    assert alike.max() > 95
    scores[1, 1] = np.nan
    with pytest.raises(ValueError, match="1 of 9 scores are no numbers"):
        places(scores, np.array([0, 2, 1]))


def test_the_table_says_what_the_places_are() -> None:
    before = np.array([0, 1, 9, 10, 30])
    rows = [
        Measured(("top", "bottom"), "some way", 101, before / 100, before),
        Measured(("outer", "top"), "no pairs", 0, np.zeros(0), np.zeros(0, np.int64)),
    ]
    head, _, line, none = outfit_table(rows).splitlines()
    assert head.count("|") == line.count("|") == none.count("|")
    cells = line.strip("| ").split(" | ")
    assert cells[:3] == ["top → bottom", "some way", "5 / 101"]
    # Of 101 a tenth are ten and a bit: with ten before it, the right one is among them.
    assert [float(cell.split()[0]) for cell in cells[3:]] == [0.1, 0.2, 0.6, 0.8]
    assert "nan" in none


def test_a_perfect_way_is_always_first_and_chance_is_in_the_middle() -> None:
    wardrobe = made_up()
    matching = Compatibility(learn(wardrobe, LAYOUT))
    looks = wardrobe.vectors.copy()
    own = {str(name): row for row, name in enumerate(wardrobe.photo)}  # one look for all one wears
    looks[:, : LAYOUT.visual] = looks[[own[str(name)] for name in wardrobe.photo], : LAYOUT.visual]
    measured = evaluate_outfits(replace(wardrobe, vectors=looks), LAYOUT, matching)
    by_way = {way: [each for each in measured if each.way == way] for way in
              ("same looks", "random")}  # fmt: skip
    assert [each.slots for each in by_way["random"]] == list(ASKED)
    for each in by_way["same looks"]:
        assert each.places.tolist() == each.before.tolist() == [0] * (PEOPLE // 5)
    chance = np.concatenate([each.places for each in by_way["random"]])
    assert 0.45 < chance.mean() < 0.55
    assert (chance.min(), chance.max()) == (0, 1)
    # The gallery has other people's and single garments, too: the outers of those in a dress.
    assert {each.slots[1]: each.gallery for each in measured} == {
        "top": PEOPLE // 5, "bottom": PEOPLE // 5, "outer": (PEOPLE + DRESSED) // 5,
    }  # fmt: skip


def test_popular_is_what_was_worn_in_training() -> None:
    wardrobe = made_up()
    person = np.array([int(name.split()[1]) for name in wardrobe.photo])
    # Of those learned from every tenth wears a skirt, of those held out all but every fourth.
    in_skirt = np.where(wardrobe.held_out, person % 4 != 0, person % 10 == 1)
    category = np.where(wardrobe.slot != "bottom", "skirt", np.where(in_skirt, "skirt", "jeans"))
    colour = np.where(person % 2 == 0, "navy", "blue")  # blue to anyone
    known = Compatibility(learn(wardrobe, LAYOUT))
    measured = evaluate_outfits(replace(wardrobe, category=category, colour=colour), LAYOUT, known)
    popular = next(m for m in measured if (m.way, m.slots) == ("popular", ("top", "bottom")))
    rows = wardrobe.pairs("top", "bottom", held_out=True)[:, 1]
    jeans = category[rows] == "jeans"
    assert jeans.sum() == 10
    assert popular.before[jeans].max() < 10 <= popular.before[~jeans].min()


def test_canonical_directions_in_closed_form() -> None:
    """With no more than `RANK` of them the form is that of least squares on both sides."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(500, 14)) @ rng.normal(size=(14, 14))
    shared = first[:, :RANK] * np.linspace(1, 4, RANK)
    second = shared @ rng.normal(size=(RANK, 11)) + 3
    means, maps = canonical(first, second)
    assert np.allclose(means[1], second.mean(axis=0), rtol=1e-5)
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    spread = [
        each.T @ each / 500 + RIDGE * (each**2).sum() / 500 / 50 * np.eye(each.shape[1])
        for each in (a, b)
    ]
    form = np.linalg.inv(spread[0]) @ (a.T @ b / 500) @ np.linalg.inv(spread[1])
    assert maps[0].shape == (14, RANK)
    assert np.allclose(maps[0] @ maps[1].T, form, atol=1e-4 * np.abs(form).max())
    strength, other = (np.diag(m.T @ s @ m) for m, s in zip(maps, spread, strict=True))
    assert np.allclose(strength, other, rtol=1e-3)  # each side says as much
    assert (np.diff(strength) <= 0).all()


def test_mutual_information_by_hand() -> None:
    names, affinity = mutual_information(["a", "a", "b", "b"], ["x", "x", "y", "y"])
    assert names == (("a", "b"), ("x", "y"))
    together, apart = np.log((2 + 2) / (1 + 2)), np.log((0 + 2) / (1 + 2))
    assert np.allclose(affinity, [[together, apart], [apart, together]])
