"""How many hash functions, in how many bands, find the pairs of a given similarity.

Locality-sensitive hashing: a signature of `count * depth` smallest hashes is cut into bands
of `depth`. Two texts whose shingles have the Jaccard similarity s agree in one hash with
probability s, in a whole band with s**depth, and in at least one band with

    1 - (1 - s**depth)**count            (Leskovec et al., Mining of Massive Datasets, 3.4)

Deep bands bring few false candidates, many bands lose few true ones. All is computed in
fractions: the plan of a step is the same on every machine.
"""

from fractions import Fraction

from msgspec import Struct

from optimai.core.chance import MILLION, Ppm

MOST_HASHES = 128
RECALL = Fraction(998, 1000)  # at the threshold itself; above it more


class Bands(Struct, frozen=True, forbid_unknown_fields=True):
    count: int
    depth: int  # hashes of each


def found(similarity: Ppm, bands: Bands) -> Fraction:
    """The probability that a pair of this similarity becomes a candidate."""
    return 1 - (1 - Fraction(similarity, MILLION) ** bands.depth) ** bands.count


def bands_for(similarity: Ppm) -> Bands:
    """The deepest bands that find pairs of this similarity with RECALL, and no more of them than that takes.

    Raises ValueError below .05: MOST_HASHES are too few for that.
    """
    for depth in range(MOST_HASHES, 0, -1):
        most = MOST_HASHES // depth
        if found(similarity, Bands(most, depth)) >= RECALL:
            return next(
                bands
                for bands in (Bands(count, depth) for count in range(1, most + 1))
                if found(similarity, bands) >= RECALL
            )
    raise ValueError(f"{MOST_HASHES} hashes can't find pairs of similarity {similarity} ppm")
