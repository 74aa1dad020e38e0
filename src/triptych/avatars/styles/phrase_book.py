"""Wordings of each style: noun phrases, adjectives, features and further cues."""

from __future__ import annotations

from dataclasses import dataclass

STONE_COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "turquoise")

# A colour before one of these colours that part only: it does not ask for coloured stone.
COLOURED_PARTS = ("eyes", "lips", "hair", "skin", "clothes", "dress", "shirt")

# A statue whose material is not named is of this one.
STATUE_MATERIAL = "granite"
STATUE_WORDS = ("statue", "bust", "sculpture")


@dataclass(frozen=True)
class Wording:
    """The words for one style.

    Attributes:
        nouns: Whole noun phrases that name the result: "a bronze statue".
        adjectives: What may stand before another style's noun: "bronze", "old".
        heads: Noun that may follow another style's adjective: "zombie", "statue".
        features: What can be given or had: "a beard" (give him a beard, an elf with a beard).
        substance: What a thing can be made of: "bronze".
        cues: Further words that mean this style when a prompt is read.
    """

    nouns: tuple[str, ...]
    adjectives: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    substance: str = ""
    cues: tuple[str, ...] = ()


def _of_substance(name: str, adjective: str = "", cues: tuple[str, ...] = ()) -> Wording:
    """Return the words of a statue: "a marble bust", "a statue made of marble"."""
    quality = adjective or name
    article = "an" if quality[0] in "aeio" else "a"
    return Wording(
        nouns=(
            f"{article} {quality} statue",
            f"{article} {quality} bust",
            f"{article} {quality} sculpture",
            f"a statue made of {name}",
            f"{article} {quality} figure",
        ),
        adjectives=(quality,),
        heads=("statue", "bust"),
        substance=name,
        cues=(name, *cues),
    )


def _of_coloured_stone(colour: str) -> Wording:
    article = "an" if colour[0] in "aeio" else "a"
    return Wording(
        nouns=(
            f"{article} {colour} statue",
            f"{article} {colour} stone statue",
            f"a statue made of {colour} stone",
            f"{article} {colour} plastic figure",
            f"{article} {colour} bust",
        ),
        adjectives=(f"{colour} stone",),
        heads=("statue", "bust"),
        substance=f"{colour} stone",
        cues=(colour, f"{colour} plastic"),
    )


_MATERIALS = {
    "bronze": _of_substance("bronze"),
    "marble": _of_substance("marble", cues=("white marble",)),
    "gold": _of_substance("gold", "golden"),
    "silver": _of_substance("silver"),
    "copper": _of_substance("copper"),
    "jade": _of_substance("jade", cues=("green jade",)),
    "clay": _of_substance("clay", cues=("plasticine",)),
    "terracotta": _of_substance("terracotta", cues=("terra cotta",)),
    "wood": _of_substance("wood", "wooden", cues=("carved wood",)),
    "ice": _of_substance("ice", cues=("frozen", "carved ice")),
    "obsidian": _of_substance("obsidian", cues=("black stone", "black glass", "black obsidian")),
    "granite": _of_substance("granite", cues=("stone", "grey stone", "gray stone", "rock")),
    **{f"{colour} stone": _of_coloured_stone(colour) for colour in STONE_COLOURS},
}

_CREATURES = {
    "zombie": Wording(
        nouns=("a zombie", "a rotting zombie", "an undead zombie", "a zombie with grey green skin"),
        heads=("zombie",),
        cues=("undead", "walking dead"),
    ),
    "elf": Wording(
        nouns=("an elf", "an elf with pointed ears", "a forest elf", "an elven archer"),
        heads=("elf",),
        features=("pointed ears", "elf ears"),
        cues=("elven", "elvish", "elves"),
    ),
    "vampire": Wording(
        nouns=("a vampire", "a pale vampire", "a vampire with red eyes", "dracula"),
        heads=("vampire",),
        cues=("vampires",),
    ),
    "blue alien": Wording(
        nouns=("a blue alien", "an alien", "an alien with blue skin", "an extraterrestrial"),
        heads=("alien",),
        cues=("aliens",),
    ),
    "orc": Wording(
        nouns=("an orc", "an orc with tusks", "an orc warrior", "a brutal orc"),
        heads=("orc",),
        features=("tusks",),
        cues=("ork", "ogre"),
    ),
    "goblin": Wording(
        nouns=("a goblin", "a green goblin", "a goblin with big ears", "a little goblin"),
        heads=("goblin",),
        cues=("goblins",),
    ),
    "demon": Wording(
        nouns=("a demon", "a demon with red skin", "a devil", "a demon with horns"),
        heads=("demon", "devil"),
        features=("horns",),
        cues=("demonic", "red skin"),
    ),
    "ghost": Wording(
        nouns=("a ghost", "a white ghost", "a spectre", "a pale ghost"),
        heads=("ghost",),
        cues=("ghostly", "phantom"),
    ),
    "android": Wording(
        nouns=("an android", "a robot", "a silver robot", "an android with metal skin"),
        heads=("android", "robot"),
        cues=("cyborg", "robotic"),
    ),
}

_PEOPLE = {
    "old": Wording(
        nouns=("an old person", "an elderly person", "a very old person"),
        adjectives=("old", "elderly"),
        heads=("old person",),
        features=("wrinkles and white hair",),
        cues=("older", "very old", "aged", "wrinkles", "grandfather", "grandmother"),
    ),
    "child": Wording(
        nouns=("a child", "a young child", "a kid", "a little child"),
        adjectives=("child",),
        heads=("child", "kid"),
        cues=("younger", "young", "childlike"),
    ),
    "beard": Wording(
        nouns=("a bearded person", "a person with a beard", "a person with a full beard"),
        adjectives=("bearded",),
        features=("a beard", "a full beard", "a thick beard"),
        cues=("beard",),
    ),
    "long hair": Wording(
        nouns=("a person with long hair", "a long haired person"),
        adjectives=("long haired",),
        features=("long hair", "very long hair"),
    ),
    "curly hair": Wording(
        nouns=("a person with curly hair", "a curly haired person"),
        adjectives=("curly haired",),
        features=("curly hair", "curls"),
        cues=("curly",),
    ),
    "afro": Wording(
        nouns=("a person with an afro", "a person with afro hair"),
        features=("an afro", "afro hair"),
        cues=("afro",),
    ),
    "bald": Wording(
        nouns=("a bald person", "a person without hair", "a person with a bald head"),
        adjectives=("bald",),
        features=("a bald head", "a shaved head"),
        cues=("shaved", "hairless", "no hair"),
    ),
    "red hair": Wording(
        nouns=("a person with red hair", "a red haired person", "a redhead"),
        adjectives=("red haired",),
        features=("red hair", "ginger hair"),
        cues=("ginger",),
    ),
    "blond hair": Wording(
        nouns=("a person with blond hair", "a blond person", "a blonde"),
        adjectives=("blond", "blonde"),
        features=("blond hair", "blonde hair"),
    ),
    "black hair": Wording(
        nouns=("a person with black hair", "a black haired person"),
        adjectives=("black haired",),
        features=("black hair", "dark hair"),
        cues=("dark haired",),
    ),
    "white hair": Wording(
        nouns=("a person with white hair", "a white haired person"),
        adjectives=("white haired",),
        features=("white hair", "snow white hair"),
    ),
    "blue hair": Wording(
        nouns=("a person with blue hair", "a blue haired person"),
        adjectives=("blue haired",),
        features=("blue hair", "bright blue hair"),
    ),
    "pink hair": Wording(
        nouns=("a person with pink hair", "a pink haired person"),
        adjectives=("pink haired",),
        features=("pink hair", "bright pink hair"),
    ),
    "pale": Wording(
        nouns=("a pale person", "a very pale person", "a person with pale skin"),
        adjectives=("pale",),
        features=("pale skin", "white skin"),
        cues=("paler",),
    ),
    "tanned": Wording(
        nouns=("a tanned person", "a sunburnt person", "a person with tanned skin"),
        adjectives=("tanned",),
        features=("tanned skin", "a suntan"),
        cues=("tan", "sunburnt"),
    ),
    "smiling": Wording(
        nouns=("a smiling person", "a happy person", "a laughing person"),
        adjectives=("smiling", "happy"),
        features=("a smile", "a big smile"),
        cues=("smile", "laughing", "grinning"),
    ),
    "make-up": Wording(
        nouns=("a person with make-up", "a person wearing make-up", "a person with red lipstick"),
        features=("make-up", "makeup", "red lipstick", "red lipstick and eye shadow"),
        cues=("lipstick", "eye shadow"),
    ),
}

_PICTURES = {
    "pencil sketch": Wording(
        nouns=("a pencil sketch", "a pencil drawing", "a graphite drawing", "a sketch"),
        cues=("pencil", "graphite"),
    ),
    "charcoal drawing": Wording(
        nouns=("a charcoal drawing", "a charcoal sketch", "a charcoal portrait"),
        cues=("charcoal",),
    ),
    "black and white photo": Wording(
        nouns=("a black and white photo", "a black and white photograph", "a monochrome photo"),
        cues=("black and white", "monochrome", "greyscale"),
    ),
    "sepia photo": Wording(
        nouns=("a sepia photo", "an old sepia photograph", "a vintage photo", "a sepia picture"),
        cues=("sepia", "vintage"),
    ),
    "cartoon": Wording(
        nouns=("a cartoon character", "a cartoon", "an animated character", "a comic character"),
        cues=("comic", "toon", "animated"),
    ),
    "oil painting": Wording(
        nouns=("an oil painting", "a painting in oil", "a portrait painted in oil"),
        cues=("oil", "painted"),
    ),
    "watercolour": Wording(
        nouns=("a watercolour painting", "a watercolor painting", "a watercolour portrait"),
        cues=("watercolour", "watercolor", "aquarelle"),
    ),
    "pop art": Wording(
        nouns=("pop art", "a pop art poster", "a pop art portrait", "a poster with flat colours"),
        cues=("warhol", "poster"),
    ),
    "pixel art": Wording(
        nouns=("pixel art", "a pixel art portrait", "a pixel art character", "a video game sprite"),
        cues=("pixelated", "pixels", "pixel"),
    ),
    "sand painting": Wording(
        nouns=("a sand painting", "a sand picture", "a picture made of sand"),
        cues=("sand", "sandy"),
    ),
}

WORDINGS: dict[str, Wording] = {**_MATERIALS, **_CREATURES, **_PEOPLE, **_PICTURES}
