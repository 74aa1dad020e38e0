"""Numbers of the materials and regions that triangles carry."""

SKIN, EYE, TEETH, HAIR_CARDS, HAIR_SHELL, CLOTH, LASHES, HORN = range(8)

BACKGROUND, FACE, EYES, BROWS, MOUTH, NOSE, EARS, HAIR, BODY = range(9)
NUM_REGIONS = 9
REGION_NAMES = ("background", "face", "eye", "brow", "mouth", "nose", "ear", "hair", "body")

# Columns of the per-vertex skin masks.
SCALP, LID, MOUTH_INSIDE, EAR, BEARD, NOSE_MASK, BELOW_JAW = range(7)
NUM_MASKS = 7
