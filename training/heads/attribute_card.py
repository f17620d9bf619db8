"""Write the attribute heads' model card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from indexer.finetuning.head_report import MARGIN, HeadScore, to_table
from indexer.finetuning.head_training import LabelledEmbeddings
from indexer.models.attribute_heads import AttributeHeads
from training.heads.attribute_evaluation import category_scores, label_table, reliability_report
from training.heads.attribute_labels import LabelledCrop

CARD = """# Model card: lapel-attributes

Linear heads on lapel-encoder's frozen embeddings, trained together: {heads}.
Written by `training/heads/attributes.py` on {date}. Command: `python -m training.heads.attributes
--seed {seed}
--steps {steps}`.

- Exclusive attributes: softmax and cross-entropy. `material` and `style` are not: a sigmoid a label
  and binary cross-entropy. Labels weigh by the root of their rarity; a garment without an attribute
  counts for the others only. Each softmax head has a temperature, fitted on what heads trained on
  two thirds of the training garments say of the rest: {temperatures}.
- Data: garments of Clothing Co-Parsing (Apache-2.0), cut out by their true masks; of the clothing
  dataset (CC0), of the Luma shop (Magento 2 sample data, OSL-3.0 / AFL-3.0) and of six open-source
  shops' demonstration catalogues (GPL-2.0-or-later, BSD-3-Clause, AGPL-3.0, MIT, Apache-2.0), cut
  out as the product does. What a category implies counts as said: a t-shirt has short sleeves.
  Colours of all sets but Luma are measured, not labelled.
- Categories are the sets' own words, where these tell; CCP's tops, trousers, jackets, shoes, bags
  and hats, the clothing set's shoes and hats, and the shops' products were looked at by one reader,
  a language model that sees pictures (`training/data/seen/`): for training and held-out garments
  alike, without what any head says of them. (Which words of CCP to look at a second time, trials
  had shown: those that were mixed up.) CCP says "shoes" of boots and heels, "blouse" of any woman's
  top, a plain tee too, and "suit" of blazers, which nobody tells apart by the jacket alone: they
  are blazers here. Nearly half of CCP's bags are too little seen to tell.
- {n_train} garments to train, {n_held_out} held out (CCP:
  `training/data/splits/ccp_validation.txt`; clothing: one in ten by the hash of its name; Luma:
  test skus; shops: three of ten products).
- Licence: Apache-2.0.

Macro-F1 on what was held out, with 95 % bootstrap intervals over groups (a product, or a photo),
beside the best constant answer: the commonest label, or for several labels all of them. A head is
kept when the lower end of its gain's interval is above {margin}.

{table}

The category as it is shown: the likeliest of those worn in the garment's slot, which the detector
says. All sets, then each:

{shown}

{labels}

Probabilities: the expected calibration error of the likeliest label on what was held out, beside
that of a perfect head with as few garments; then the category's own.

{reliability}

The simple baseline, one softmax over the category on the whole photo instead of the garment, on the
same held-out garments, all slots competing:

{baseline}

{tried}

What still fails: blouses and shirts, trousers and jeans, coats and blazers are mixed up on people
in the street; so are low shoes (flats, sneakers, sandals) on small worn crops, and caps and
beanies. Of capes, rompers and backpacks two and fewer were held out: nobody knows how well they are
told.
Of sweatshirts, cardigans, waistcoats and suits there were too few to learn: they go to sweaters,
hoodies, tank tops and blazers. Luma's 106 products are all of sports wear, so gender,
material and style are known of little else; heads that are not kept had too few products to learn
from or to be measured on.
"""

TRIED = """## Tried and not taken
Macro-F1 of the category of its slot, in five folds of the training garments: 33 labels of 6,429
garments, of which 2,436 worn (CCP). Beside it the linear head on the garment's embedding in the
same run: some were made before the last labels were corrected. The intervals are about ± 0.02.

| | all | linear head | worn | linear head |
|---|---|---|---|---|
| with the embedding of the whole person's crop beside it | 0.682 | 0.701 | 0.543 | 0.584 |
| the same, centred and scaled to a quarter | 0.716 | 0.706 | 0.597 | 0.598 |
| the same, its first 32 principal components | 0.707 | 0.706 | 0.590 | 0.598 |
| with the place of the garment's box in the person's | 0.714 | 0.706 | 0.607 | 0.598 |
| one hidden layer of 128 | 0.711 | 0.701 | 0.605 | 0.584 |
| trained on the softmax of the slot's labels only | 0.693 | 0.701 | 0.590 | 0.584 |
| an offset for each set and label, dropped when asked | 0.687 | 0.701 | 0.584 | 0.584 |
| with 1,623 tagged garments of CCP's photos without masks | 0.720 | 0.706 | 0.612 | 0.598 |
| with CCP's garments mirrored, too | 0.687 | 0.710 | 0.593 | 0.601 |

A person's crop costs one more embedding a person (35 ms of a core) for a gain within the noise, and
on worn garments none. The tagged garments, found by the product and named where one tag fits the
slot, gained nothing on the held-out parts (0.671 after 0.668), nor on another shop."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The kept heads with what they were trained and measured on."""

    heads: AttributeHeads
    data: LabelledEmbeddings
    crops: Sequence[LabelledCrop]
    temperatures: Mapping[str, float]


def write_card(
    trained: Trained,
    scores: Sequence[HeadScore],
    baseline: Sequence[HeadScore],
    seed: int,
    steps: int,
) -> str:
    """Return the model card."""
    heads, data, crops = trained.heads, trained.data, trained.crops
    temperatures = (f"{name} {value:.2f}" for name, value in trained.temperatures.items())
    return CARD.format(
        heads=", ".join(f"{h.name} ({', '.join(h.labels)})" for h in heads.heads),
        n_train=int((~data.held_out).sum()),
        n_held_out=int(data.held_out.sum()),
        date=datetime.now(UTC).date().isoformat(),
        seed=seed,
        steps=steps,
        margin=MARGIN,
        temperatures=", ".join(temperatures),
        table=to_table(scores),
        shown=to_table(category_scores(heads, data, crops)),
        labels=label_table(heads, data, crops),
        reliability=reliability_report(heads, data, crops),
        baseline=to_table(baseline),
        tried=TRIED,
    )
